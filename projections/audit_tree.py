"""The audit follower's target: a Merkle tree that grows with the log; leaf `n` is the event of position `n` + 1.

It takes columns of the log only: an event that this release cannot read, or whose content was erased, has its leaf.
"""

from collections.abc import Sequence
from typing import Final

from projections.database import Database, Rows
from projections.follower import Stopped
from projections.lease import Lease, Leases
from projections.leaves import Leaf
from projections.tiles import Edge, Tiles, open_places

FOLLOWER: Final = "audit_tree"
REBUILD: Final = f"{FOLLOWER}_rebuild"


class AuditTree:
    """Tiles and position in one transaction."""

    def __init__(self, database: Database, leases: Leases) -> None:
        self._database, self._leases = database, leases
        self._edge: Edge | None = None

    async def ready(self) -> None:
        """Whether the database is there shows when the lease is asked for."""

    async def begin(self, lease: Lease) -> int:
        self._edge = None
        return lease.position

    async def commit(self, lease: Lease, position: int, batch: Sequence[Leaf]) -> int:
        async with self._database.transaction() as rows:
            edge = await self.grow(rows, lease.generation, position, batch)
            await self._leases.advance(rows, lease, position, batch[-1].position, batch[-1].digest)
        self._edge = edge
        return len(batch)

    async def grow(self, rows: Rows, generation: int, position: int, batch: Sequence[Leaf]) -> Edge:
        """Within somebody's transaction; the follower's row stays where it is. Raises Stopped at a hole."""
        for expected, leaf in enumerate(batch, position + 1):
            if leaf.position != expected:
                raise Stopped(f"position {expected} is missing: the log goes on with {leaf.position}")
        tiles = Tiles(self._database.dialect, generation)
        edge, self._edge = self._edge, None  # what is not committed is not remembered
        if edge is None or edge.size != position:
            edge = Edge(position, await tiles.read(rows, open_places(position)))
        await tiles.write(rows, edge.grow(leaf.hash for leaf in batch))
        return edge

    async def rest(self, lease: Lease, position: int) -> None:
        await self._leases.renew(lease, position)

    async def leave(self, lease: Lease) -> None:
        """The position is there already."""
