"""The loop that every follower is: wait for a position, apply what is new, commit rows and position together.

Tailing, catching up and rebuilding are this loop from different positions. An event that cannot be applied stops it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from domain.event import Recorded
from projections.database import Database, Rows, Unavailable
from projections.lease import Lease, LeaseLost, Leases, OtherLog

BATCH = 500
"""Events in one transaction."""
LOOK_SECONDS = 1.0
"""How often a follower looks by itself, renews its lease, or tries to get one."""


PAUSE_SECONDS = 0.01
"""Between two batches, so that a few events more go into the next; nobody who waits for the position is kept by it."""


class Stopped(Exception):
    """An event could not be applied; the text names it. Nothing after it is applied."""


class Feed(Protocol):
    """Where events come from: the next ones beyond a position, or none within `timeout` seconds."""

    async def after(self, position: int, limit: int, timeout: float) -> list[Recorded]: ...


class ReadModel(Protocol):
    """What is built, in the tables of one generation."""

    async def apply(self, rows: Rows, batch: Sequence[Recorded]) -> None: ...


class Follower:
    """Builds what `models` makes for a generation, as long as it holds the lease called `name`.

    `moved` is called after each commit with generation and position, `noticed` with a word on what went wrong.
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        database: Database,
        leases: Leases,
        models: Callable[[int], ReadModel],
        moved: Callable[[int, int], None],
        noticed: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self.holding = False
        self._feed, self._database, self._leases = feed, database, leases
        self._models, self._moved, self._noticed = models, moved, noticed
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Somebody waits for the position."""
        self._hurried.set()

    async def run(self) -> None:
        """Follow for ever, or stand by for whoever holds the lease. Raises Stopped."""
        while True:
            try:
                lease = await self._leases.acquire(self.name)
                if lease is None:
                    await asyncio.sleep(LOOK_SECONDS)
                else:
                    await self._hold(lease)
            except LeaseLost:
                self._noticed("lease_lost", self.name)
            except OtherLog as error:
                raise Stopped(str(error)) from None
            except Unavailable as error:
                self._noticed("follower_waits_for_database", str(error))
                await asyncio.sleep(LOOK_SECONDS)

    async def follow(self, lease: Lease, until: int | None = None) -> int:
        """Apply from the lease's position on, for ever or until a position. Raises LeaseLost, Unavailable, Stopped."""
        model = self._models(lease.generation)
        position = lease.position
        self._moved(lease.generation, position)
        while until is None or position < until:
            batch = await self._next(position)
            if not batch:
                await self._leases.renew(lease, position)
                continue
            try:
                await self._commit(model, lease, position, batch)
            except (LeaseLost, Unavailable):
                raise
            except Exception:  # noqa: BLE001 - one of them is at fault: the ones before it count, and it is named
                for fact in batch:
                    await self._commit_one(model, lease, fact)
            position = batch[-1].position
            self._moved(lease.generation, position)
            if len(batch) < BATCH:
                await self._pause()
        return position

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await self._hurried.wait()
        self._hurried.clear()

    async def _hold(self, lease: Lease) -> None:
        self.holding = True
        failure = ""
        try:
            await self.follow(lease)
        except Stopped as stopped:
            failure = str(stopped)
            raise
        finally:
            self.holding = False
            try:
                await self._leases.release(lease, failure)
            except Unavailable as error:
                self._noticed("lease_not_released", str(error))

    async def _next(self, position: int) -> list[Recorded]:
        try:
            return await self._feed.after(position, BATCH, LOOK_SECONDS)
        except Unavailable:
            raise
        except Exception as error:
            raise Stopped(f"position {position + 1}: {error}") from error

    async def _commit_one(self, model: ReadModel, lease: Lease, fact: Recorded) -> None:
        try:
            await self._commit(model, lease, fact.position - 1, [fact])
        except (LeaseLost, Unavailable):
            raise
        except Exception as error:
            # Whoever was paused for long finds the tables of a generation that is no more: no event is at fault.
            await self._leases.renew(lease, fact.position - 1)
            raise Stopped(_named(fact, error)) from error

    async def _commit(self, model: ReadModel, lease: Lease, position: int, batch: Sequence[Recorded]) -> None:
        async with self._database.transaction() as rows:
            await model.apply(rows, batch)
            await self._leases.advance(rows, lease, position, batch[-1].position)


def _named(fact: Recorded, error: Exception) -> str:
    event = fact.event
    return f"position {fact.position}, {event.TOPIC} of {event.originator_id}: {type(error).__name__}: {error}"
