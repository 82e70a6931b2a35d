"""The log in order of position: dense, each event as the tree has it, each checkpoint as the tree says.

The tree's own hashes are followed, so that one event that was altered does not contradict every checkpoint after it.
Once they differ from the log, a second tree is grown of what the log says: a checkpoint tells which of them is right.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence, Set
from typing import Any, Final

from projections.leaves import Leaf, leaf_hash
from projections.tiles import HASH_BYTES, TILE, Edge, hashes_of
from service.audit.verify.findings import Fault, Findings, events
from service.audit.verify.places import REACH, differ, named
from service.audit.verify.trust import Claim
from service.store.log import Plain

PART: Final = 16 * TILE
"""Positions that are looked at together."""

ReadLeaves = Callable[[int, int], Coroutine[Any, Any, Sequence[Leaf]]]
"""Leaves beyond a position, at most so many."""
ReadTiles = Callable[[int, int, int], Coroutine[Any, Any, Mapping[int, bytes]]]
"""Tiles of a level by number, from a number on, at most so many."""


_NOTHING: Final = bytes(HASH_BYTES)
_IN_TREE: Final = "altered in the tree, not in the log"


class LogWalk:
    """`size`: leaves that the tree has. `left_out`: positions that are not missing, though they are not looked at.
    `claims`: what checkpoints say, sizes rising."""

    def __init__(
        self, findings: Findings, leaves: ReadLeaves, tiles: ReadTiles, size: int, left_out: Set[int] = frozenset()
    ) -> None:
        self._left_out = left_out
        self._findings, self._leaves, self._tiles, self._size = findings, leaves, tiles, size
        self._edge = Edge(0, {})
        self._of_log: Edge | None = None
        """None while it would be the same as the tree; without hashes of its own it is not grown."""
        self._suspected: list[Fault] = []
        """Not confirmed by a checkpoint yet."""
        self.position = 0

    def next(self, head: int) -> int:
        """Where the next part ends."""
        return min(self.position + PART, head)

    async def part(self, head: int, claims: Sequence[Claim], rows: Sequence[Plain]) -> None:
        """The next positions, at most up to `head`: `rows` are those within, `claims` those about sizes within."""
        first, last = self.position + 1, self.next(head)
        hashes = [
            leaf_hash(position, tenant_id, id, version, topic, at, digest)
            for position, id, version, topic, _, tenant_id, _, at, _, _, digest in rows
        ]
        taken: Sequence[bytes] = hashes
        if not _dense(rows, first, last) or not await self._in_tree(hashes, first):
            taken, hashes = await self._doubted(rows, hashes, first, last)
        for claim in claims:
            await self._grow(claim.size, taken, hashes, first)
            self._judge(claim)
        await self._grow(last, taken, hashes, first)
        self.position = last

    def end(self, head: int, claims: Sequence[Claim]) -> None:
        """`claims` beyond the head."""
        self._confirm()
        if self._size > head:
            self._findings.add([_cut(head, f"the tree has {self._size} events")])
        for claim in claims:
            self._findings.add([_cut(head, f"before checkpoint {claim.size} (a restore or a cut)")])

    async def _in_tree(self, hashes: Sequence[bytes], first: int) -> bool:
        """Whether the tree has just these, from a position on and as far as it goes."""
        count = min(len(hashes), self._size - first + 1)
        if self._of_log is not None or (first - 1) % TILE:
            return False
        if count <= 0:
            return True
        low = (first - 1) // TILE
        tiles = await self._tiles(0, low, (count - 1) // TILE + 1)
        there = b"".join(tiles[number] for number in sorted(tiles))
        return there[: count * HASH_BYTES] == b"".join(hashes[:count])

    async def _doubted(
        self, rows: Sequence[Plain], hashes: Sequence[bytes], first: int, last: int
    ) -> tuple[list[bytes], list[bytes]]:
        """Name what differs; returns for each position what the tree has or else the log, and what the log has."""
        beyond = [leaf for leaf in await self._leaves(last, REACH) if leaf.position <= last + REACH]
        found = {leaf.position: leaf for leaf in (*map(_leaf, rows), *beyond)}
        of_log = dict(zip((row[0] for row in rows), hashes, strict=True))
        tree = await self._of_tree(first, last + REACH)
        if differ(of_log, tree, first, last):
            self._suspected += named(found, tree, first, last, self._left_out)
            self._of_log = self._of_log or self._edge.copy()
        positions = range(first, last + 1)
        there = [of_log.get(n) or _NOTHING for n in positions]
        return [tree.get(n) or hash_ for n, hash_ in zip(positions, there, strict=True)], there

    async def _of_tree(self, first: int, last: int) -> dict[int, bytes]:
        """What the tree has for each position."""
        last = min(last, self._size)
        tree = await leaves_of_tree(self._tiles, first, last)
        gone = [position for position in range(first, last + 1) if position not in tree]
        if gone:
            self._findings.add([events("TREE_ALTERED", gone[0], gone[-1], "not in the tree: its tiles are gone")])
        return tree

    async def _grow(self, upto: int, taken: Sequence[bytes], hashes: Sequence[bytes], first: int) -> None:
        """Both lists begin with the position `first`."""
        after = self._edge.size - first + 1
        upto = max(after, upto - first + 1)
        changed = self._edge.grow(taken[after:upto])
        if self._of_log is not None:
            self._of_log.grow(hashes[after:upto])
        for (level, number), tile in changed.items():
            there = min(len(tile), (self._size // TILE**level - number * TILE) * HASH_BYTES)
            if level and there > 0:
                stored = (await self._tiles(level, number, 1)).get(number, b"")
                if stored[:there] != tile[:there]:
                    text = f"tile {number} of level {level} of the tree is not what those below it give"
                    self._findings.add([Fault("TREE_ALTERED", text)])

    def _judge(self, claim: Claim) -> None:
        if claim.root == self._edge.root:
            self._confirm()
        elif self._of_log is not None and claim.root == self._of_log.root:
            # The log is as it was signed: what differs is the tree.
            self._findings.add(events("TREE_ALTERED", first, last, _IN_TREE) for _, _, first, last in self._suspected)
            self._suspected.clear()
            self._edge, self._of_log = self._of_log, None
        else:
            self._confirm()
            text = f"checkpoint {claim.size} has another root than the log"
            self._findings.add([Fault("CHECKPOINT_CONTRADICTED", text, 0, claim.size)])

    def _confirm(self) -> None:
        self._findings.add(self._suspected)
        self._suspected.clear()


async def leaves_of_tree(tiles: ReadTiles, first: int, last: int) -> dict[int, bytes]:
    """The hashes that the tree has of these positions."""
    if last < first:
        return {}
    low, high = (first - 1) // TILE, (last - 1) // TILE
    return {
        position: hash_
        for number, tile in (await tiles(0, low, high - low + 1)).items()
        for position, hash_ in enumerate(hashes_of(tile), start=number * TILE + 1)
        if first <= position <= last
    }


def _dense(rows: Sequence[Plain], first: int, last: int) -> bool:
    return len(rows) == last - first + 1 and rows[0][0] == first and rows[-1][0] == last


def _leaf(row: Plain) -> Leaf:
    return Leaf(row[0], row[5], row[1], row[2], row[3], row[7], row[10])


def _cut(head: int, what: str) -> Fault:
    return Fault("LOG_CUT", f"the log ends at {head}, {what}" if head else f"the log is empty, {what}", 0, 0)
