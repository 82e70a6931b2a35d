"""The log as the publisher sees it: where its events stand."""

from collections.abc import Mapping, Sequence

from projections.follower import Stopped
from service.store.log import Log


class LogPositions:
    def __init__(self, log: Log) -> None:
        self._log = log

    async def tenants(self) -> Sequence[tuple[str, int]]:
        """Raises Stopped where the log was declared restored since this process began."""
        if (await self._log.identity())[0] != self._log.log_id:
            raise Stopped("the log was declared restored: start this process again")
        return await self._log.tenants()

    async def next_of(self, tenant_id: str, position: int) -> int | None:
        rows = await self._log.of_tenant(tenant_id, position, 1)
        return rows[0].position if rows else None

    async def digests(self, positions: Sequence[int]) -> Mapping[int, tuple[str, bytes]]:
        return await self._log.digests(positions) if positions else {}
