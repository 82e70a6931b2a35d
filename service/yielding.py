"""The log for whoever goes through all of it, on a machine where others cannot wait: while the log grows, a feed that
takes the smaller part."""

import asyncio
import time

from domain.event import Fact
from service.store.history import readable
from service.store.log import Log, Row
from service.store.read_ahead import ReadAhead

PAGE = 500
"""Rows that are read at once."""
NEAR = 20_000
"""So close to the end of the log it hurries: the end moves away."""
REST = 2.0
"""Times as long as the last page took, while somebody writes."""
MAX_REST_SECONDS = 1.0


class Yielding:
    """It waits for nothing: who asks beyond the end of the log gets nothing at once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        # What is erased meanwhile is erased by an event that follows: no page is too old.
        self._pages = ReadAhead(log, max_age=float("inf"))
        self._page: list[Row] = []
        self._head: int | None = None
        self._began = time.monotonic()

    async def after(self, position: int, limit: int, _timeout: float) -> list[Fact]:
        """Raises Unavailable; UnreadableEvent when the next one cannot be read."""
        rows = [row for row in self._page[: limit + 1] if row.position > position][:limit]
        if not rows or rows[0].position != position + 1:
            await self._rest(position)
            self._page = await self._pages.after(position, PAGE)
            rows = self._page[:limit]
        self._page = self._page[len(rows) :]
        return readable(rows)

    def forget(self) -> None:
        """What was read and not asked for."""
        self._page = []
        self._pages.forget()

    async def _rest(self, position: int) -> None:
        head = await self._log.head()
        if self._head is not None and head > self._head and head - position > NEAR:
            await asyncio.sleep(min(REST * (time.monotonic() - self._began), MAX_REST_SECONDS))
        self._head, self._began = head, time.monotonic()
