"""The audit tree as it is stored: tiles of 256 hashes a row, as C2SP's tlog-tiles has them.

Level 0 holds the hashes of leaves, each level above it the roots of the whole tiles below. A tile that is whole never
changes. Of a tile that is not, readers use only what the tree had at the size they ask for.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from projections.database import Database, Dialect, Rows
from projections.merkle import EMPTY_ROOT, Nodes, root_of

TILE_HEIGHT: Final = 8
TILE: Final = 1 << TILE_HEIGHT
"""Hashes in a whole tile."""
HASH_BYTES: Final = 32
TILE_BYTES: Final = TILE * HASH_BYTES

_TABLE = re.compile(r"audit_tiles_(\d+)")

Place = tuple[int, int]
"""Level and number of a tile."""


class Tiles:
    """The tiles of one generation."""

    def __init__(self, dialect: Dialect, generation: int) -> None:
        self._dialect = dialect
        self.table = f"audit_tiles_{generation}"

    def tables(self) -> list[str]:
        return [
            f"""CREATE TABLE IF NOT EXISTS {self.table} (
                level smallint NOT NULL, number bigint NOT NULL, hashes {self._dialect.binary} NOT NULL,
                PRIMARY KEY (level, number))"""
        ]

    def removal(self) -> list[str]:
        return [f"DROP TABLE IF EXISTS {self.table}"]

    async def write(self, rows: Rows, tiles: Mapping[Place, bytes]) -> None:
        await rows.many(
            f"""INSERT INTO {self.table} (level, number, hashes) VALUES ($1, $2, $3)
                ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes""",
            [(level, number, hashes) for (level, number), hashes in tiles.items()],
        )

    async def nodes(self, database: Database | Rows, size: int, *indexes: int) -> Nodes:
        """All that the root of `size` leaves takes, and proofs about these leaves in it."""
        wanted = {place for index in (size - 1, *indexes) for place in _above(index, size)} if size else set()
        return nodes_of(await self.read(database, wanted))

    async def read(self, database: Database | Rows, places: Iterable[Place]) -> dict[Place, bytes]:
        wanted = sorted(places)
        if not wanted:
            return {}
        same = " OR ".join(f"level = ${2 * n + 1} AND number = ${2 * n + 2}" for n in range(len(wanted)))
        found = await database.fetch(
            f"SELECT level, number, hashes FROM {self.table} WHERE {same}",
            *(part for place in wanted for part in place),
        )
        return {(level, number): bytes(hashes) for level, number, hashes in found}

    async def of_level(self, database: Database, level: int, first: int, count: int) -> Sequence[tuple[int, bytes]]:
        """Number and hashes of the tiles from `first` on, at most `count`."""
        found = await database.fetch(
            f"""SELECT number, hashes FROM {self.table} WHERE level = $1 AND number >= $2 AND number < $3
                ORDER BY number""",
            level, first, first + count,
        )  # fmt: skip
        return [(number, bytes(hashes)) for number, hashes in found]


async def generations(database: Database) -> list[int]:
    """Those that have tables."""
    names = await database.fetch(database.dialect.table_names)
    return sorted(int(match[1]) for (name,) in names if (match := _TABLE.fullmatch(name)))


def hashes_of(tile: bytes) -> list[bytes]:
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def nodes_of(tiles: Mapping[Place, bytes]) -> Nodes:
    """Raises LookupError where a tile is missing or too short."""

    def node(height: int, number: int) -> bytes:
        level, within = divmod(height, TILE_HEIGHT)
        tile, first = divmod(number << within, TILE)
        stored = tiles.get((level, tile), b"")
        hashes = hashes_of(stored[first * HASH_BYTES : (first + (1 << within)) * HASH_BYTES])
        if len(hashes) != 1 << within:
            raise LookupError(f"tile {tile} of level {level} of the audit tree lacks hashes")
        return root_of(hashes)

    return node


class Edge:
    """The tiles that are not whole yet: all that it takes to grow. `pushed` are the hashes that each level has."""

    def __init__(self, size: int, tiles: Mapping[Place, bytes]) -> None:
        """Raises LookupError where the tiles lack what a tree of this size has."""
        self._open: list[bytearray] = []
        self._pushed: list[int] = []
        for level, number, count in _open_tiles(size):
            tile = tiles.get((level, number), b"")[: count * HASH_BYTES]
            if len(tile) != count * HASH_BYTES:
                raise LookupError(f"tile {number} of level {level} of the audit tree lacks hashes")
            self._open.append(bytearray(tile))
            self._pushed.append(size >> level * TILE_HEIGHT)

    @property
    def size(self) -> int:
        return self._pushed[0] if self._pushed else 0

    def grow(self, leaves: Iterable[bytes]) -> dict[Place, bytes]:
        """Take more leaves' hashes; returns the tiles that changed."""
        changed: dict[Place, bytes] = {}
        touched: set[int] = set()
        self._extend(0, b"".join(leaves), changed, touched)
        for level in touched:
            if self._open[level]:
                changed[level, self._pushed[level] // TILE] = bytes(self._open[level])
        return changed

    @property
    def root(self) -> bytes:
        below: list[bytes] = []
        for tile in self._open:
            hashes = hashes_of(bytes(tile)) + below
            below = [root_of(hashes)] if hashes else []
        return below[0] if below else EMPTY_ROOT

    def copy(self) -> "Edge":
        copied = Edge(0, {})
        copied._open, copied._pushed = [bytearray(tile) for tile in self._open], list(self._pushed)
        return copied

    def _extend(self, level: int, hashes: bytes, changed: dict[Place, bytes], touched: set[int]) -> None:
        if level == len(self._open):
            self._open.append(bytearray())
            self._pushed.append(0)
        touched.add(level)
        tile, at = self._open[level], 0
        while at < len(hashes):
            part = hashes[at : at + TILE_BYTES - len(tile)]
            tile += part
            at += len(part)
            self._pushed[level] += len(part) // HASH_BYTES
            if len(tile) == TILE_BYTES:
                whole = bytes(tile)
                changed[level, self._pushed[level] // TILE - 1] = whole
                tile.clear()
                self._extend(level + 1, root_of(hashes_of(whole)), changed, touched)


def open_places(size: int) -> list[Place]:
    """The tiles of a tree of this size that are begun and not whole."""
    return [(level, number) for level, number, count in _open_tiles(size) if count]


def _open_tiles(size: int) -> Iterable[tuple[int, int, int]]:
    """Level, number and length of the last tile of each level; a length of 0 where it is not begun."""
    level = 0
    while size:
        yield level, size // TILE, size % TILE
        size //= TILE
        level += 1


def _above(index: int, size: int) -> Iterable[Place]:
    """The tiles from a leaf up to the root."""
    level = 0
    while size:
        index //= TILE
        yield level, index
        size //= TILE
        level += 1
