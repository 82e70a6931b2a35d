"""Read models as what a follower writes: rows and position in one transaction, and none of them large."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from domain.erasure import Erasing
from domain.event import Fact, Recorded
from projections.database import Database, Reader, Rows
from projections.lease import Lease, Leases


class ReadModel(Protocol):
    """What is built, in the tables of one generation."""

    async def apply(self, rows: Rows, batch: Sequence[Fact], past_erased: int) -> int:
        """Returns how many of the first were applied, one at least. `past_erased`: see `erase_past`."""
        ...

    async def erase_past(
        self, reader: Reader, writing: Callable[[], AbstractAsyncContextManager[Rows]], fact: Recorded
    ) -> None:
        """Before an event that erases is applied: whatever of it would be too much for one transaction."""
        ...


class Tables:
    """Read models as a target: rows and position in one transaction."""

    def __init__(self, database: Database, leases: Leases, models: Callable[[int], ReadModel]) -> None:
        self._database, self._leases, self._models = database, leases, models
        self._model: ReadModel | None = None

    async def ready(self) -> None:
        """Whether the database is there shows when the lease is asked for."""

    async def begin(self, lease: Lease) -> int:
        self._model = self._models(lease.generation)
        return lease.position

    async def commit(self, lease: Lease, position: int, batch: Sequence[Fact]) -> int:
        """An event that erases begins a transaction: the past before it may take many to rewrite."""
        model = self._model or self._models(lease.generation)
        erasing = [place for place, fact in enumerate(batch) if _erases(fact)]
        past_erased = 0
        if erasing:
            batch = batch[: erasing[0] or 1]
        if erasing and isinstance(first := batch[0], Recorded) and _erases(first):
            await model.erase_past(self._database, lambda: self._holding(lease, position), first)
            past_erased = position
        async with self._database.transaction() as rows:
            taken = await model.apply(rows, batch, past_erased)
            last = batch[taken - 1]
            await self._leases.advance(rows, lease, position, last.position, last.digest)
        if erasing and _erases(last):
            await self._database.scrub()
        return taken

    @asynccontextmanager
    async def _holding(self, lease: Lease, position: int) -> AsyncIterator[Rows]:
        """A transaction of whoever still holds the lease."""
        async with self._database.transaction() as rows:
            yield rows
            await self._leases.hold(rows, lease, position)

    async def rest(self, lease: Lease, position: int) -> None:
        await self._leases.renew(lease, position)

    async def leave(self, lease: Lease) -> None:
        """The position is there already."""


def _erases(fact: Fact) -> bool:
    return isinstance(fact, Recorded) and isinstance(fact.event, Erasing)
