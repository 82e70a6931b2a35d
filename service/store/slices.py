"""Long work on the event loop in slices: between two of them everybody else has a turn."""

from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from time import perf_counter
from typing import Final, TypeVar

SLICE_SECONDS: Final = 0.001
"""How long the loop is kept at a time, but for the one thing that is in hand."""

FEW: Final = 8
"""So many things are done at once: looking at the clock would take longer."""

T = TypeVar("T")
R = TypeVar("R")


async def in_slices(all_of: Iterable[T]) -> AsyncIterator[T]:
    """Each of them. What is done with it counts, too."""
    until = perf_counter() + SLICE_SECONDS
    for one in all_of:
        yield one
        if perf_counter() > until:
            await sleep(0)
            until = perf_counter() + SLICE_SECONDS


async def each(work: Callable[[T], R], all_of: Sequence[T]) -> list[R]:
    """What comes of each of them, in order."""
    if len(all_of) <= FEW:
        return list(map(work, all_of))
    return [work(one) async for one in in_slices(all_of)]
