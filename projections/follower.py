"""The loop that every follower is: wait for a position, apply what is new, commit it and the position together.

Tailing, catching up and rebuilding are this loop from different positions. An event that cannot be applied stops it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from projections.agreement import OtherLog
from projections.database import Unavailable
from projections.lease import Lease, LeaseLost, Leases

BATCH = 500
"""Events in one transaction."""
LOOK_SECONDS = 1.0
"""How often a follower looks by itself, renews its lease, or tries to get one."""
OUTDATED_SECONDS = 3 * LOOK_SECONDS
"""How long whoever met an event of a newer release leaves the lease to others: each of them looks several times."""
PAUSE_SECONDS = 0.05
PAUSE_SECONDS_PER_EVENT = 0.001
"""Between two batches, so that more events go into the next: the busier, the longer. Who waits here cuts it short."""


class Stopped(Exception):
    """An event could not be applied; the text names it. Nothing after it is applied."""


class Outdated(Stopped):
    """The event can only be read by a newer release: whoever runs that can go on from here."""


class OfNewerRelease(Exception):
    """What a feed raises, and whatever else reads the log, where this release does not know an event's shape."""


class Displaced(Exception):
    """What is written to is not where it was left: how far it is must be found out."""


class Placed(Protocol):
    """Whatever stands in the log."""

    @property
    def position(self) -> int: ...
    @property
    def digest(self) -> bytes: ...


_F = TypeVar("_F", bound=Placed)
_F_contra = TypeVar("_F_contra", bound=Placed, contravariant=True)
_F_co = TypeVar("_F_co", bound=Placed, covariant=True)


class Feed(Protocol[_F_co]):
    """Where events come from: the next ones beyond a position, or none within `timeout` seconds."""

    async def after(self, position: int, limit: int, timeout: float) -> Sequence[_F_co]: ...


class Target(Protocol[_F_contra]):
    """What is written. Each method raises Unavailable, and with a lease LeaseLost, Displaced and Stopped."""

    async def ready(self) -> None:
        """Be there; asked before the lease is."""
        ...

    async def begin(self, lease: Lease) -> int:
        """Returns the position to go on from."""
        ...

    async def commit(self, lease: Lease, position: int, batch: Sequence[_F_contra]) -> int:
        """Write what follows `position`: the first of the batch, as many as are well written at once, or none where it
        fails. Returns how many."""
        ...

    async def rest(self, lease: Lease, position: int) -> None:
        """Nothing was new for a while: keep the lease."""
        ...

    async def leave(self, lease: Lease) -> None:
        """The last word before the lease is given up, for whatever reason."""
        ...


class Follower(Generic[_F]):
    """Writes what the feed brings into a target, as long as it holds the lease called `name`.

    `moved` is called after each commit with the lease and the position, `noticed` with a word on what went wrong.
    `pause`: seconds between two batches for each event of the first, `longest_pause`: at most. `batch`: events in one
    transaction.
    """

    def __init__(
        self,
        name: str,
        feed: Feed[_F],
        target: Target[_F],
        leases: Leases,
        moved: Callable[[Lease, int], None],
        noticed: Callable[[str, str], None],
        longest_pause: float = PAUSE_SECONDS,
        pause: float = PAUSE_SECONDS_PER_EVENT,
        batch: int = BATCH,
    ) -> None:
        self.name = name
        self.holding = False
        self.outdated = ""
        """The event that only a newer release can read, until this process is past it; empty while all is well."""
        self._feed, self._target, self._leases = feed, target, leases
        self._moved, self._noticed = moved, noticed
        self._longest_pause, self._pause_per_event, self._batch = longest_pause, pause, batch
        self._at_once = batch
        """Events that are asked for at once: fewer after what the database did not do in time."""
        self._tried = 0
        """Events of the batch that was begun last."""
        self._failure, self._failures = "", 0
        """What keeps it from going on, how often in a row."""
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Somebody waits for the position."""
        self._hurried.set()

    async def run(self) -> None:
        """Follow for ever, or stand by for whoever holds the lease. Raises Stopped.

        What only a newer release can read is left to one: it may run beside this one during an upgrade.
        """
        while True:
            try:
                await self._target.ready()
                lease = await self._leases.acquire(self.name, failure=self._failure)
                if lease is None:
                    await asyncio.sleep(LOOK_SECONDS)
                else:
                    await self._hold(lease)
            except LeaseLost:
                self._noticed("lease_lost", self.name)
            except Displaced as error:
                self._noticed("follower_displaced", str(error))
                await self._pause(PAUSE_SECONDS)
            except OtherLog as error:
                with suppress(Unavailable):
                    await self._leases.note(self.name, str(error))
                raise Stopped(str(error)) from None
            except Outdated as outdated:
                self.outdated = str(outdated)
                self._noticed("follower_outdated", self.outdated)
                await asyncio.sleep(OUTDATED_SECONDS)
            except Unavailable as error:
                self._noticed("follower_waits", str(error))
                self._failures += 1
                self._failure = str(error) + (f" ({self._failures} times in a row)" if self._failures > 1 else "")
                self._at_once = max(1, min(self._at_once, self._tried or self._at_once) // 2)
                with suppress(Unavailable):
                    await self._leases.note(self.name, self._failure)
                await asyncio.sleep(LOOK_SECONDS)

    async def follow(self, lease: Lease, until: int | None = None) -> int:
        """Write from where the target is, for ever or until a position.

        Raises LeaseLost, Displaced, Unavailable, Stopped, Outdated.
        """
        position = await self._target.begin(lease)
        self._moved(lease, position)
        while until is None or position < until:
            at_once = self._at_once
            batch = await self._next(position, at_once if until is None else min(at_once, until - position))
            if not batch:
                if until is not None:  # it was there when whoever asked for this position looked
                    raise Stopped(f"position {position + 1} is missing: the log does not go on to {until}")
                await self._target.rest(lease, position)
                await self._succeeded(lease)
                continue
            number = self._tried = len(batch)
            try:
                while batch:
                    taken = await self._target.commit(lease, position, batch)
                    position, batch = batch[taken - 1].position, batch[taken:]
                    if batch:
                        self._moved(lease, position)
            except (LeaseLost, Displaced, Unavailable, Stopped):
                raise
            except Exception:  # noqa: BLE001 - one of them is at fault: the ones before it count, and it is named
                for fact in batch:
                    await self._commit_one(lease, fact)
                    position = fact.position
            self.outdated = ""
            self._moved(lease, position)
            await self._succeeded(lease)
            if number < at_once:
                await self._pause(min(self._longest_pause, number * self._pause_per_event))
        await self._target.rest(lease, position)
        return position

    async def _succeeded(self, lease: Lease) -> None:
        self._at_once = min(self._batch, 2 * self._at_once)
        if self._failure:
            await self._leases.tell(lease, "")
            self._failure, self._failures = "", 0

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
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
                with suppress(LeaseLost):
                    await self._target.leave(lease)
                await self._leases.release(lease, failure)
            except Unavailable as error:
                self._noticed("lease_not_released", str(error))

    async def _next(self, position: int, limit: int) -> Sequence[_F]:
        try:
            return await self._feed.after(position, limit, LOOK_SECONDS)
        except Unavailable:
            raise
        except Exception as error:
            raise _stop(error)(f"position {position + 1}: {error}") from error

    async def _commit_one(self, lease: Lease, fact: _F) -> None:
        try:
            await self._target.commit(lease, fact.position - 1, [fact])
        except (LeaseLost, Displaced, Unavailable, Stopped):
            raise
        except Exception as error:
            # Whoever was paused for long finds the tables of a generation that is no more: no event is at fault.
            await self._target.rest(lease, fact.position - 1)
            raise _stop(error)(_named(fact, error)) from error


def _stop(error: Exception) -> type[Stopped]:
    return Outdated if isinstance(error, OfNewerRelease) else Stopped


def _named(fact: Any, error: Exception) -> str:
    event = getattr(fact, "event", None)
    named = f", {event.TOPIC} of {event.originator_id}" if event is not None else ""
    return f"position {fact.position}{named}: {type(error).__name__}: {error}"
