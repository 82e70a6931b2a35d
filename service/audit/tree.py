"""The audit tree as any process reads it, whoever builds it."""

import asyncio

from projections.audit_tree import FOLLOWER
from projections.database import Database
from projections.lease import Leases
from projections.merkle import Nodes
from projections.tiles import Tiles

POLL_SECONDS = 0.02


class Tree:
    """Every method raises Unavailable when the database is away."""

    def __init__(self, database: Database, leases: Leases, log_id: str) -> None:
        self._database, self._leases, self._log_id = database, leases, log_id

    async def size(self) -> int:
        """Leaves that it has; 0 also while it is of another log, before it is begun anew."""
        return (await self._state())[1]

    async def reach(self, size: int, timeout: float) -> bool:
        """Whether it has so many leaves within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while await self.size() < size:
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    async def nodes(self, size: int, *indexes: int) -> Nodes:
        """What the root of the first `size` leaves takes, and proofs about these. They raise LookupError where a tile
        is gone."""
        return await (await self.tiles()).nodes(self._database, size, *indexes)

    async def of_level(self, level: int, first: int, count: int) -> dict[int, bytes]:
        """Whole and open tiles of a level by their numbers, from a number on."""
        return dict(await (await self.tiles()).of_level(self._database, level, first, count))

    async def tiles(self) -> Tiles:
        return Tiles(self._database.dialect, (await self._state())[0])

    async def _state(self) -> tuple[int, int]:
        """Generation and size."""
        state = await self._leases.state(FOLLOWER)
        if state is None or state.log_id != self._log_id:
            return 1, 0
        return state.generation, state.position
