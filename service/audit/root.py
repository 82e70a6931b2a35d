"""The root hash of rows that pass by, in memory that does not grow with them."""

from collections.abc import Sequence

from projections import merkle
from projections.leaves import Leaf, microseconds_of
from projections.tiles import Edge, nodes_of
from service.store.log import Row


class Root:
    """Of the first `size` positions of a log: what its audit tree has at that size."""

    def __init__(self) -> None:
        self._edge = Edge(0, {})
        self._last: dict[int, tuple[int, bytes]] = {}

    @property
    def size(self) -> int:
        return self._edge.size

    def grow(self, rows: Sequence[Row]) -> None:
        """The next positions, all of them."""
        for (level, number), hashes in self._edge.grow(leaf_of_row(row).hash for row in rows).items():
            self._last[level] = number, hashes

    @property
    def hash(self) -> bytes:
        tiles = {(level, number): hashes for level, (number, hashes) in self._last.items()}
        return merkle.root(self.size, nodes_of(tiles))


def leaf_of_row(row: Row) -> Leaf:
    return Leaf(
        row.position,
        row.tenant_id,
        row.originator_id.hex,
        row.originator_version,
        row.topic,
        microseconds_of(row.recorded_at),
        row.digest,
    )
