"""The streams as what a follower writes: the log's events for all tenants together, and for each tenant of its own.

A stream's last id is how far it is. On every connection the publisher finds which streams end before the last event
that belongs in them, and goes back to the earliest event that any of them lacks. Adding twice is impossible (an entry's
id is its position), so is adding after a hole (a batch goes only onto the entry before it).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from domain.event import Fact
from projections.cloud_events import CloudEvents
from projections.follower import BATCH, LOOK_SECONDS, Displaced, Stopped
from projections.lease import Lease, Leases
from projections.stream_batches import Batch, Filling, Names

FOLLOWER = "publisher"
KEEP_SECONDS = 0.25
"""How often the position is written down while events keep coming; what counts is where the streams end."""
AT_ONCE = 500
"""Streams or positions that are asked about at once."""

_ID = re.compile(r"(\d+)-0")
_T = TypeVar("_T")


class End(NamedTuple):
    """A stream's last id, `0-0` where there is none; `digest` of its last entry, empty where that was removed."""

    id: str
    digest: str


class Streams(Protocol):
    """The server of the streams. Every method raises Unavailable when it is away, full, or not set up."""

    async def ready(self) -> None:
        """Be connected."""
        ...

    async def ends(self, names: Sequence[str]) -> list[End]: ...

    async def add(self, batches: Sequence[Batch]) -> list[dict[str, str]]:
        """Into each stream all of a batch that is its own, or nothing. Returns, for each batch, the last id of each of
        its streams then, which tells whether it was added."""
        ...


class Positions(Protocol):
    """Where events stand in the log. Every method raises Unavailable."""

    async def tenants(self) -> Sequence[tuple[str, int]]:
        """Every tenant with the position of its last event."""
        ...

    async def next_of(self, tenant_id: str, position: int) -> int | None:
        """The tenant's first position beyond this one."""
        ...

    async def digests(self, positions: Sequence[int]) -> Mapping[int, tuple[str, bytes]]:
        """Tenant and digest of what stands at these positions; those beyond the log are missing."""
        ...


class _Sent(NamedTuple):
    """Batches on their way, and the event that is reached with them."""

    batches: list[Batch]
    answer: asyncio.Future[list[dict[str, str]]]
    last: Fact


class Publisher:
    """A follower's target. One at a time is enough, two do no harm. `clock`: seconds that only rise."""

    def __init__(
        self,
        names: Names,
        streams: Streams,
        log: Positions,
        leases: Leases,
        events: CloudEvents,
        clock: Callable[[], float],
    ) -> None:
        self._names, self._streams, self._log, self._leases, self._events = names, streams, log, leases, events
        self._clock = clock
        self._filling = Filling(names, {})
        self._reached, self._digest = 0, b""
        """The last event that every stream has which it belongs in."""
        self._kept, self._kept_at = 0, 0.0
        self._newest: str | None = None
        self._sent: _Sent | None = None

    async def ready(self) -> None:
        await self._streams.ready()

    async def begin(self, lease: Lease) -> int:
        """Find out how far the streams are. Raises Stopped where one does not agree with the log."""
        if self._sent is not None:
            self._sent.answer.cancel()
            self._sent = None
        self._reached = self._kept = lease.position
        self._reached, self._digest = await self._renewing(lease, self._survey())
        await self._keep(lease)
        return self._reached

    async def commit(self, lease: Lease, _position: int, batch: Sequence[Fact]) -> int:
        """Publish what is missing. Raises Displaced where a stream is not where it was left.

        While many events wait, the next batch is rendered during the time that Redis takes for this one.
        """
        if self._clock() - self._kept_at > LOOK_SECONDS:  # paused, perhaps: another may hold the lease by now
            await self._renew(lease)
        missing, streams = self._filling.missing(batch)
        taken = len(batch)
        published = await self._events.of(missing) if missing else []
        if len(published) < len(missing):
            streams = streams[: len(published)]
            batch = [fact for fact in batch if fact.position <= published[-1].position]
        batches = self._filling.batches(published, streams)
        await self._settle(lease)
        if batches:
            self._sent = _Sent(batches, asyncio.ensure_future(self._streams.add(batches)), batch[-1])
            self._sent.answer.add_done_callback(_noted)
            self._newest = next(reversed(batches[-1].ends))
            await asyncio.sleep(0)  # it goes out before anything else is rendered
            if len(batch) == taken < BATCH:
                await self._settle(lease)
        else:
            await self._reach(lease, batch[-1])
        return len(batch)

    async def rest(self, lease: Lease, _position: int) -> None:
        """Nothing is new: see that what was published last is still there."""
        await self._settle(lease)
        await self._keep(lease)
        if self._newest is not None:
            (end,) = await self._renewing(lease, self._streams.ends([self._newest]))
            if _position_of(self._newest, end.id) != self._filling.ends[self._newest]:
                raise Displaced(f"{self._newest} ends with {end.id}")

    async def leave(self, lease: Lease) -> None:
        """Write down how far it came."""
        if self._reached != self._kept:
            await self._keep(lease)

    async def _survey(self) -> tuple[int, bytes]:
        """The position to go on from, and the digest of its event."""
        tenants = await self._log.tenants()
        head = max((last for _, last in tenants), default=0)
        lasts = {name: last for tenant_id, last in tenants for name in self._names.of(tenant_id)}
        if self._names.all:
            lasts[self._names.prefix] = head
        owners = {self._names.of_tenant(tenant_id): tenant_id for tenant_id, _ in tenants}
        ends = await self._verified(list(lasts), owners)
        missing = sorted((end, name) for name, end in ends.items() if end < lasts[name])
        earliest = head + 1
        for end, name in missing:
            if end + 1 >= earliest:
                break
            lacks = await self._log.next_of(owners[name], end) if name in owners else end + 1
            earliest = min(earliest, lacks or earliest)
        self._filling.ends = ends
        self._newest = max(ends, key=lambda name: ends[name], default=None)
        there = await self._log.digests([earliest - 1])
        return earliest - 1, there.get(earliest - 1, ("", b""))[1]

    async def _verified(self, names: Sequence[str], owners: Mapping[str, str]) -> dict[str, int]:
        """Where each stream ends, once what stands there was compared with the log."""
        ends: dict[str, int] = {}
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            found = dict(zip(some, await self._streams.ends(some), strict=True))
            ends |= {name: _position_of(name, end.id) for name, end in found.items()}
            there = await self._log.digests(sorted({ends[name] for name in some} - {0}))
            for name, end in found.items():
                if ends[name]:
                    _compare(name, ends[name], end.digest, there.get(ends[name]), owners.get(name))
        return ends

    async def _settle(self, lease: Lease) -> None:
        """Wait until what was sent is published."""
        if self._sent is None:
            return
        sent, self._sent = self._sent, None
        for batch, ids in zip(sent.batches, await self._renewing(lease, sent.answer), strict=True):
            for name, end in batch.ends.items():
                if ids[name] != f"{end}-0":
                    raise Displaced(f"{name} ended with {ids[name]}, not with {batch.prevs[name]}-0")
        await self._reach(lease, sent.last)

    async def _reach(self, lease: Lease, last: Fact) -> None:
        self._reached, self._digest = last.position, last.digest
        if self._clock() - self._kept_at > KEEP_SECONDS:
            await self._keep(lease)

    async def _keep(self, lease: Lease) -> None:
        """Write down how far it is."""
        await self._leases.move(lease, self._kept, self._reached, self._digest)
        self._kept, self._kept_at = self._reached, self._clock()

    async def _renew(self, lease: Lease) -> None:
        await self._leases.renew(lease, self._kept)
        self._kept_at = self._clock()

    async def _renewing(self, lease: Lease, work: Awaitable[_T]) -> _T:
        """However long the work takes, the lease stays with whoever does it. Raises LeaseLost."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
                await self._renew(lease)
            return task.result()
        finally:
            task.cancel()


def _noted(answer: asyncio.Future[list[dict[str, str]]]) -> None:
    """What went wrong is raised to whoever waits for the answer; at the end of the process nobody does."""
    if not answer.cancelled():
        answer.exception()


def _position_of(name: str, id: str) -> int:
    match = _ID.fullmatch(id)
    if match is None:
        raise Stopped(f"{name} does not agree with the log: it ends with {id}, which is no position")
    return int(match[1])


def _compare(name: str, position: int, digest: str, there: tuple[str, bytes] | None, tenant_id: str | None) -> None:
    problem = ""
    if there is None:
        problem = f"it ends with position {position}, which the log does not have"
    elif tenant_id is not None and there[0] != tenant_id:
        problem = f"position {position}, with which it ends, is another tenant's"
    elif digest and digest != there[1].hex():
        problem = f"the digest of position {position}, with which it ends, is another one"
    if problem:
        raise Stopped(
            f"{name} does not agree with the log: {problem}. Was the database restored from a backup? "
            "Then run `ims restored`"
        )
