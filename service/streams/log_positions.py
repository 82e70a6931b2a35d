"""The log as the publisher sees it: where its events stand, and the events themselves, erased ones too."""

from collections.abc import Mapping, Sequence

from projections.cloud_events import Fact
from projections.follower import Stopped
from service.store.feed import READ_EVENTS, Feed
from service.store.history import told_of
from service.store.log import Log
from service.store.mapper import UnreadableEvent
from service.store.read_ahead import ReadAhead


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


class WholeFeed:
    """The feed of a process, with what was erased in its place."""

    def __init__(self, feed: Feed, log: Log) -> None:
        self._feed, self._pages = feed, ReadAhead(log)

    async def after(self, position: int, limit: int, timeout: float) -> Sequence[Fact]:
        """The next events beyond `position`; empty when none came within `timeout` seconds.

        Raises Unavailable; UnreadableEvent when the next one is of a newer release.
        """
        if not await self._feed.head.reach(position + 1, timeout):
            return []
        recent = self._feed.recent(position, limit)
        if recent is not None:
            return recent
        facts: list[Fact] = []
        for row in await self._pages.after(position, min(limit, READ_EVENTS)):
            try:
                facts.append(told_of(row))
            except UnreadableEvent:
                if not facts:
                    raise
                break
        return facts
