"""The log from one position to another, in order, by parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from service.store.feed import READ_EVENTS
from service.store.log import Row

Read = Callable[[int, int], Coroutine[Any, Any, list[Row]]]
"""Rows beyond a position, at most so many: `log.read`, or the same of one tenant or one incident."""


async def parts(read: Read, first: int, last: int) -> AsyncIterator[list[Row]]:
    """What `read` finds from `first` to `last`, no part empty; the next is fetched while this one is looked at."""
    coming = asyncio.create_task(read(first - 1, READ_EVENTS))
    try:
        while rows := await coming:
            if rows[-1].position >= last:
                if rows[0].position <= last:
                    yield [row for row in rows if row.position <= last]
                return
            coming = asyncio.create_task(read(rows[-1].position, READ_EVENTS))
            yield rows
    finally:
        coming.cancel()
