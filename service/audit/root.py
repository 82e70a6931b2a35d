"""The root hash of rows that pass by, in memory that does not grow with them."""

from collections.abc import Sequence

from projections.tiles import Edge
from service.audit.verify.contents import leaf_of_row
from service.store.log import Row


class Root:
    """Of the first `size` positions of a log: what its audit tree has at that size."""

    def __init__(self) -> None:
        self._edge = Edge(0, {})

    @property
    def size(self) -> int:
        return self._edge.size

    @property
    def hash(self) -> bytes:
        return self._edge.root

    def grow(self, rows: Sequence[Row]) -> None:
        """The next positions, all of them."""
        self._edge.grow(leaf_of_row(row).hash for row in rows)
