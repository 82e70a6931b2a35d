"""A feed for work that can wait, on a machine where others cannot: while the log grows, it takes the smaller part."""

import asyncio
import time

from domain.event import Fact
from service.store.log import Log
from service.store.reading_ahead import ReadingAhead

NEAR = 20_000
"""So close to the end of the log it hurries: the end moves away."""
REST = 2.0
"""Times as long as the last batch took, while somebody writes."""
MAX_REST_SECONDS = 1.0


class Yielding:
    """Gives what `feed` gives."""

    def __init__(self, log: Log, feed: ReadingAhead) -> None:
        self._log, self._feed = log, feed
        self._head: int | None = None
        self._began = time.monotonic()

    async def after(self, position: int, limit: int, timeout: float) -> list[Fact]:
        head = await self._log.head()
        if self._head is not None and head > self._head and head - position > NEAR:
            await asyncio.sleep(min(REST * (time.monotonic() - self._began), MAX_REST_SECONDS))
        self._head, self._began = head, time.monotonic()
        return await self._feed.after(position, limit, timeout)
