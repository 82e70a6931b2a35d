"""The log by pages, for those who catch up: while one page is worked on, the next is already being read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from service.store.mapper import UnreadableEvent

MAX_AGE_SECONDS: Final = 1.0
"""A page that was asked for longer ago is read again: what stands in it may have been erased meanwhile."""
MAX_COMING: Final = 4
"""Pages that are read ahead at once: as many as a process has followers."""


_R = TypeVar("_R", bound=Sequence[Any])
"""A row of the log; its position comes first."""


class _Coming(NamedTuple, Generic[_R]):
    asked_at: float
    page: asyncio.Future[Sequence[_R]]


class ReadAhead(Generic[_R]):
    """`read` gives the rows beyond a position, at most so many. `max_age` in seconds, where it matters how old a page
    is."""

    def __init__(self, read: Callable[[int, int], Awaitable[Sequence[_R]]], max_age: float | None = None) -> None:
        self._read, self._max_age = read, max_age
        self._coming: dict[int, _Coming[_R]] = {}
        """By the position that each begins beyond, the oldest first."""

    async def after(self, position: int, limit: int) -> Sequence[_R]:
        """The rows beyond a position, at most `limit`. Raises Unavailable."""
        coming = self._coming.pop(position, None)
        rows: Sequence[_R] = ()
        if coming is not None and self._age(coming) < (MAX_AGE_SECONDS if self._max_age is None else self._max_age):
            rows = await coming.page
        if not rows or len(rows) > limit:
            rows = await self._read(position, limit)
        if len(rows) == limit:  # there is more
            last = rows[-1][0]
            page = asyncio.ensure_future(self._read(last, limit))
            page.add_done_callback(_noted)
            self._coming[last] = _Coming(asyncio.get_running_loop().time(), page)
            if len(self._coming) > MAX_COMING:
                del self._coming[next(iter(self._coming))]
        return rows

    def forget(self) -> None:
        """What was read ahead may say what was erased since."""
        self._coming.clear()

    def _age(self, coming: _Coming[_R]) -> float:
        return asyncio.get_running_loop().time() - coming.asked_at


def _noted(page: asyncio.Future[Any]) -> None:
    """What went wrong is raised to whoever wants the page; where nobody does, it is of no matter."""
    if not page.cancelled():
        page.exception()


async def before_damage(read: Callable[[int], Awaitable[list[_R]]], limit: int) -> list[_R]:
    """What `read` gives for a limit; where that raises UnreadableEvent, the rows before the one that cannot be read.

    Raises UnreadableEvent where that is the first.
    """
    while True:
        try:
            return await read(limit)
        except UnreadableEvent:
            if limit == 1:
                raise
            limit //= 2
