"""The audit tree as any process reads it, whoever builds it."""

import asyncio

from projections.audit_tree import FOLLOWER
from projections.database import Database
from projections.follower_state import FollowerState
from projections.lease import Leases
from projections.merkle import Nodes
from projections.tiles import Tiles
from service.audit.errors import OtherHistory

POLL_SECONDS = 0.02


class Tree:
    """Every method raises Unavailable when the database is away, and OtherHistory where the tree has leaves that the
    log has not: nothing is signed or proven with another history."""

    def __init__(self, database: Database, leases: Leases, log_id: str) -> None:
        self._database, self._leases, self._log_id = database, leases, log_id

    async def size(self) -> int:
        """Leaves that it has; 0 also while it is of another log, before it is begun anew."""
        state = await self._state()
        return 0 if state is None else state.position

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
        state = await self._state()
        return Tiles(self._database.dialect, 1 if state is None else state.generation)

    async def _state(self) -> FollowerState | None:
        """None where it is of another log."""
        state = await self._leases.state(FOLLOWER)
        if state is None or state.log_id != self._log_id:
            return None
        if problem := await self._leases.disagreement(state):
            raise OtherHistory(problem)
        return state
