"""The newest events for everyone who listens in this process: each is rendered once, however many hear it.

Nobody is waited for. Who does not read what is said loses the connection, and goes on from the last position it saw.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import orjson
import structlog

from domain.erased import Erased
from domain.event import Fact
from projections.cloud_events import CloudEvents, Published
from projections.database import Unavailable
from service.cancelled import raise_if_cancelled
from service.store.feed import LOOK_SECONDS, Feed
from service.store.history import LogHistory
from service.store.log import Log
from service.subscribers.pages import Wanted
from service.subscribers.withheld import as_it_happens

MAX_READERS: Final = 2_000
"""Readers that one process serves."""
MAX_TENANT_READERS: Final = 1_000
"""Of them, those of one tenant."""
MAX_HELD_BYTES: Final = 64 * 2**20
"""Bytes of what was read from the log for readers that have not read it yet, of all of a process."""
MAX_EVENTS: Final = 1_000
"""Events that wait for one reader; one more and it is dropped."""
MAX_BYTES: Final = 2 * 2**20
"""Bytes that wait for one reader, a single larger event apart; beyond that it is dropped."""
BATCH: Final = 500
"""Events taken from the feed at once."""
PAUSE_SECONDS: Final = 0.01
"""Between two batches: under load each reader gets many events with one write."""

Frame = tuple[int, bytes]
"""A position, and the event as it goes over the wire."""

_log = structlog.get_logger(__name__)


class TooManyReaders(Exception):
    """This process serves as many readers as it may; the text says of whom."""


class Reader:
    """What waits for one connection. Once it listens, it hears of every event beyond the position `since`."""

    def __init__(self, wanted: Wanted, drop: Callable[[], object]) -> None:
        self.wanted = wanted
        self.since = 0
        self.held = 0
        """Bytes that were read for it from the log, and are being written."""
        self.ended = self.dropped = self.missed = False
        """`missed`: what waited was thrown away, and is to be read in the log."""
        self._drop = drop
        self._waiting: deque[Frame] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()

    def offer(self, event: Published, frame: bytes) -> None:
        if self.ended or event.position <= self.since or not self.wanted.includes(event):
            return
        if len(self._waiting) >= MAX_EVENTS or (self._waiting and self._bytes + len(frame) > MAX_BYTES):
            self.drop()
            return
        self._waiting.append((event.position, frame))
        self._bytes += len(frame)
        self._woken.set()

    def drop(self) -> None:
        """It does not read; it can come again and go on."""
        if self.ended:
            return
        _log.warning("reader_dropped", tenant_id=self.wanted.tenant_id, waiting=len(self._waiting), held=self.held)
        self.end()
        self.dropped = True
        self._drop()

    def forget(self) -> None:
        """What waits may say what was erased since."""
        if self._waiting:
            self._waiting.clear()
            self._bytes = 0
            self.missed = True

    def end(self) -> None:
        """It gets nothing more."""
        self.ended = True
        self._waiting.clear()
        self._woken.set()

    async def take(self, timeout: float) -> list[Frame]:
        """All that waits; empty where nothing came within `timeout` seconds, where it has ended or missed something."""
        if not self._waiting and not self.ended and not self.missed:
            self._woken.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._woken.wait()
            except TimeoutError:
                return []
        taken = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return taken


class Tail:
    """Follows the feed of this process as long as somebody listens."""

    def __init__(self, log: Log, feed: Feed, frame: Callable[[Published], bytes]) -> None:
        self._feed, self._frame = feed, frame
        self._events = CloudEvents(orjson, str(log.log_id), LogHistory(log))
        self._erasures = 0
        feed.on_erasure(self._forget)
        self._readers: set[Reader] = set()
        self._of_tenant: Counter[str] = Counter()
        self.held = 0
        """Bytes that readers hold."""
        self._listening: dict[str, set[Reader]] = {}
        self._position = 0
        self._following = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Readers that did not read, since the start."""

    @property
    def readers(self) -> int:
        return len(self._readers)

    @contextmanager
    def reader(self, wanted: Wanted, drop: Callable[[], object]) -> Iterator[Reader]:
        """A reader's place; `drop` is called when it does not read. Raises TooManyReaders."""
        if len(self._readers) >= MAX_READERS:
            raise TooManyReaders("this process serves as many readers as it may")
        if self._of_tenant[wanted.tenant_id] >= MAX_TENANT_READERS:
            raise TooManyReaders("this process serves as many readers of one tenant as it may")
        reader = Reader(wanted, drop)
        self._readers.add(reader)
        self._of_tenant[wanted.tenant_id] += 1
        if self._closed:
            reader.end()
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            self.held -= reader.held
            self._of_tenant[wanted.tenant_id] -= 1
            if not self._of_tenant[wanted.tenant_id]:
                del self._of_tenant[wanted.tenant_id]
            self.dropped += reader.dropped
            listening = self._listening.get(wanted.tenant_id, set())
            listening.discard(reader)
            if not listening:
                self._listening.pop(wanted.tenant_id, None)

    @contextmanager
    def holding(self, reader: Reader, size: int) -> Iterator[None]:
        """While so many bytes from the log are written to it. Where readers hold more than they may, those are dropped
        that hold most, of the tenant whose readers do."""
        reader.held += size
        self.held += size
        while self.held - self._dropped_bytes() > MAX_HELD_BYTES and (slow := self._slowest()) is not None:
            slow.drop()
        try:
            yield
        finally:
            reader.held -= size
            self.held -= size

    def _dropped_bytes(self) -> int:
        """Of those that are on their way out."""
        return sum(reader.held for reader in self._readers if reader.ended)

    def _slowest(self) -> Reader | None:
        there = [reader for reader in self._readers if reader.held and not reader.ended]
        of_tenant: Counter[str] = Counter()
        for reader in there:
            of_tenant[reader.wanted.tenant_id] += reader.held
        return max(there, key=lambda one: (of_tenant[one.wanted.tenant_id], one.held), default=None)

    def listen(self, reader: Reader) -> None:
        """It hears of everything from now on; what came before, it reads in the log."""
        if not self._following.is_set():
            self._position = self._feed.head.value
            self._following.set()
        reader.since = self._position
        self._listening.setdefault(reader.wanted.tenant_id, set()).add(reader)

    def close(self) -> None:
        """The service leaves: all readers end, so that none of them keeps it."""
        self._closed = True
        for reader in self._readers:
            reader.end()

    def _forget(self, originator_id: UUID) -> None:
        self._events.forget(originator_id)
        self._erasures += 1
        for reader in self._readers:
            reader.forget()

    async def run(self) -> None:
        while True:
            await self._following.wait()
            try:
                while self._listening:
                    await self._tell(await self._feed.after(self._position, BATCH, LOOK_SECONDS))
                self._following.clear()
            except Unavailable as error:
                _log.warning("tail_waits_for_log", error=str(error))
                await asyncio.sleep(LOOK_SECONDS)
            except Exception as error:  # noqa: BLE001 - what a newer release wrote, say: another process can read it
                raise_if_cancelled(error)
                _log.exception("tail_stopped", position=self._position)
                for reader in self._readers:
                    reader.end()
                self._following.clear()  # who comes again reads in the log what was not told, and listens from its end
                await asyncio.sleep(LOOK_SECONDS)

    async def _tell(self, facts: Sequence[Fact]) -> None:
        if not facts:
            return
        heard = [fact for fact in facts if _tenant_of(fact) in self._listening]
        # Whoever joins while this waits for the log reads these events there, and must not hear of them here too.
        before, self._position = self._position, facts[-1].position
        erasures = self._erasures
        while heard:
            try:
                events = await self._events.of(heard)
            except BaseException:
                self._position = before
                raise
            if erasures != self._erasures:  # they may say what was erased meanwhile: read them again
                self._position = before
                return
            for event in events:
                frame = self._frame(event)
                shown = as_it_happens(event)
                to_others = frame if shown is event else self._frame(shown)
                for reader in tuple(self._listening.get(event.tenant_id, ())):
                    reader.offer(event, frame if reader.wanted.past else to_others)
            before, heard = events[-1].position, heard[len(events) :]
            if heard:
                await asyncio.sleep(0)  # the readers take what is there before more is made
        await asyncio.sleep(PAUSE_SECONDS)


def _tenant_of(fact: Fact) -> str:
    return fact.tenant_id if isinstance(fact, Erased) else fact.event.tenant_id
