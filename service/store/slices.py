"""Long work on the event loop in slices: between two of them everybody else has a turn."""

from asyncio import sleep
from collections.abc import AsyncIterator, Iterable
from time import perf_counter
from typing import Final, TypeVar

SLICE_SECONDS: Final = 0.001
"""How long the loop is kept at a time, but for the one thing that is in hand."""

T = TypeVar("T")


async def in_slices(all_of: Iterable[T]) -> AsyncIterator[T]:
    """Each of them. What is done with it counts, too."""
    until = perf_counter() + SLICE_SECONDS
    for one in all_of:
        yield one
        if perf_counter() > until:
            await sleep(0)
            until = perf_counter() + SLICE_SECONDS
