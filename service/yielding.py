"""The log for whoever goes through all of it, on a machine where others cannot wait: while the log grows, a feed that
takes the smaller part."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from service.store.history import readable
from service.store.log import READ_BYTES, Log, Plain
from service.store.read_ahead import ReadAhead

PAGE = 500
"""Rows that are read at once."""
NEAR = 20_000
"""So close to the end of the log it hurries: the end moves away."""
REST = 2.0
"""Times as long as the last page took, while somebody writes."""
MAX_REST_SECONDS = 1.0


_F_co = TypeVar("_F_co", covariant=True)


class Yielding(Generic[_F_co]):
    """It waits for nothing: who asks beyond the end of the log gets nothing at once. `told` makes a fact of a row."""

    def __init__(self, log: Log, told: Callable[[Plain], _F_co]) -> None:
        self._log, self._told = log, told
        # What is erased meanwhile is erased by an event that follows: no page is too old.
        self._pages = ReadAhead(partial(log.plain, max_bytes=READ_BYTES), max_age=float("inf"))
        self._page: Sequence[Plain] = ()
        self._next = 0
        """The place in it of what was not asked for yet."""
        self._head: int | None = None
        self._began = time.monotonic()

    async def after(self, position: int, limit: int, _timeout: float) -> list[_F_co]:
        """Raises Unavailable; UnreadableEvent when the next one cannot be read."""
        first = self._next
        if first >= len(self._page) or self._page[first][0] != position + 1:
            await self._rest(position)
            self._page, first = await self._pages.after(position, PAGE), 0
        facts = readable(self._page[first : first + limit], self._told)
        self._next = first + len(facts)
        return facts

    def forget(self) -> None:
        """What was read and not asked for."""
        self._page = ()
        self._pages.forget()

    async def _rest(self, position: int) -> None:
        head = await self._log.head()
        if self._head is not None and head > self._head and head - position > NEAR:
            await asyncio.sleep(min(REST * (time.monotonic() - self._began), MAX_REST_SECONDS))
        self._head, self._began = head, time.monotonic()
