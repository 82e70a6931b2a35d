"""The log by pages, for those who catch up: while one page is worked on, the next is already being read."""

import asyncio
from typing import Final, NamedTuple

from service.store.log import Log, Row

MAX_AGE_SECONDS: Final = 1.0
"""A page that was asked for longer ago is read again: what stands in it may have been erased meanwhile."""
MAX_COMING: Final = 4
"""Pages that are read ahead at once: as many as a process has followers."""


class _Coming(NamedTuple):
    asked_at: float
    page: asyncio.Task[list[Row]]


class ReadAhead:
    """`max_age` in seconds, where it matters how old a page is."""

    def __init__(self, log: Log, max_age: float | None = None) -> None:
        self._log, self._max_age = log, max_age
        self._coming: dict[int, _Coming] = {}
        """By the position that each begins beyond, the oldest first."""

    async def after(self, position: int, limit: int) -> list[Row]:
        """The rows beyond a position, at most `limit`. Raises Unavailable."""
        coming = self._coming.pop(position, None)
        rows: list[Row] = []
        if coming is not None and self._age(coming) < (MAX_AGE_SECONDS if self._max_age is None else self._max_age):
            rows = await coming.page
        if not rows or len(rows) > limit:
            rows = await self._log.read(position, limit)
        if len(rows) == limit:  # there is more
            page = asyncio.create_task(self._log.read(rows[-1].position, limit))
            page.add_done_callback(_noted)
            self._coming[rows[-1].position] = _Coming(asyncio.get_running_loop().time(), page)
            if len(self._coming) > MAX_COMING:
                del self._coming[next(iter(self._coming))]
        return rows

    def forget(self) -> None:
        """What was read ahead may say what was erased since."""
        self._coming.clear()

    def _age(self, coming: _Coming) -> float:
        return asyncio.get_running_loop().time() - coming.asked_at


def _noted(page: asyncio.Task[list[Row]]) -> None:
    """What went wrong is raised to whoever wants the page; where nobody does, it is of no matter."""
    if not page.cancelled():
        page.exception()
