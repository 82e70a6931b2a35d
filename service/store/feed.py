"""What was appended, in order: from memory where it is recent, from the log where it is not.

Every process tails the log for itself. What its own writer commits is taken over at once when it follows what is known;
the rest is read when another process rings, and once a second in any case.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

import structlog

from domain.erased import Erased
from domain.erasure import Erasing
from domain.event import Fact, Recorded
from projections.database import Unavailable
from service.store.history import readable, told_of
from service.store.log import READ_BYTES, Log, Row, is_full
from service.store.mapper import UnreadableEvent
from service.store.read_ahead import ReadAhead
from service.store.watermark import Watermark

LOOK_SECONDS = 1.0
WINDOW = 1_024
"""Events kept in memory for the followers: a few times what they leave lying under load. Beyond, the log is read."""
HEARS_SECONDS = 3.0
"""For so long after a look at the log, what this process knows of it counts as what there is."""
WINDOW_BYTES = 8 * 2**20
"""Of the content of the events in memory."""
READ_EVENTS = 500
"""Events read from the log at once."""

Listener = Callable[[str, UUID, int, int], None]

_log = structlog.get_logger(__name__)


class LogWentBack(Exception):
    """Events that this process knows are not in the log any more: all that it keeps in memory may be wrong."""


class _Known(NamedTuple):
    """An event that must be in the log for ever."""

    position: int
    digest: bytes


class Feed:
    """`head` is the newest position that this process knows."""

    def __init__(self, log: Log) -> None:
        self.head = Watermark()
        self._log, self._pages = log, ReadAhead(partial(log.read, max_bytes=READ_BYTES))
        self._window: deque[Fact] = deque()
        self._sizes: deque[int] = deque()
        """Bytes of the content of each event of the window."""
        self._bytes = 0
        self._bell = asyncio.Event()
        self._looked_at = float("-inf")
        self._newest = _Known(0, b"")
        """The newest event that this process knows."""
        self._certain = self._newest
        """The newest event when it was last made sure that the log has what it had."""
        self._certain_at = float("-inf")
        self._doubted: _Known | None = None
        """The newest event when a doubt came up, while it is not sure to be there."""
        self._went_back = ""
        """What this process was told that the log cannot have beside what it remembers."""
        self._listeners: list[Listener] = []
        self._forgetting: list[Callable[[UUID], None]] = []

    def listen(self, listener: Listener) -> None:
        """Call it with the tenant, aggregate, version and position of every event from now on, once, in order."""
        self._listeners.append(listener)

    def on_erasure(self, forget: Callable[[UUID], None]) -> None:
        """Call it with each aggregate that something was erased of: whoever keeps what it said forgets that."""
        self._forgetting.append(forget)

    async def start(self) -> None:
        self._looked_at = time.monotonic()
        head = await self._log.head()
        there = await self._log.digests([head])
        if head in there:
            self._newest = self._certain = _Known(head, there[head][1])
            self.head.set(head)

    def offer(self, recorded: Sequence[Recorded], size: int = 0) -> None:
        """What this process has just committed, its positions rising; `size`: bytes of all their content."""
        for fact in recorded:
            if not self._went_back and fact.position <= self.head.value and self._is_another(fact):
                self._went_back = _gone_back(fact.position, "another event now")
            if self._went_back:
                self.ring()
                return
            if fact.position == self.head.value + 1:
                self._take(fact, fact.event.tenant_id, size // len(recorded))
            elif fact.position > self.head.value:
                self.ring()  # another process wrote in between: read that first
                return

    def ring(self) -> None:
        """There is more in the log than this process knows."""
        self._bell.set()

    def doubt(self) -> None:
        """The database may be another one than before: a standby that lacks the newest events, or a restored one.

        Nobody gets what is in memory until the log has been looked at.
        """
        self._doubted = _Known(*(self._doubted or self._newest))  # another one for each doubt
        self._empty()
        self.ring()

    @property
    def hears(self) -> bool:
        """Whether the log answered lately: else other processes may have written what this one does not know."""
        return time.monotonic() - self._looked_at < HEARS_SECONDS

    async def run(self) -> None:
        while True:
            self._bell.clear()  # before the look: who rings during it is heard after it
            try:
                await self.catch_up()
            except (Unavailable, UnreadableEvent) as error:
                self._looked_at = float("-inf")
                _log.warning("log_unavailable", error=str(error))
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def catch_up(self) -> None:
        """Read until there is nothing new. Raises Unavailable, LogWentBack."""
        if self._went_back or time.monotonic() - self._certain_at >= LOOK_SECONDS:
            await self._make_sure()
        while self._doubted:
            await self._make_sure()
        while True:
            known, looked_at = self._newest, time.monotonic()
            # From the newest event that is known: what follows another one there is another history.
            rows = await self._log.read(max(0, known.position - 1), READ_EVENTS, READ_BYTES)
            if known.position:
                if not rows or rows[0].position != known.position:
                    raise LogWentBack(_gone_back(known.position, "gone"))
                if rows[0].digest != known.digest:
                    raise LogWentBack(_gone_back(known.position, "another event now"))
            full = is_full(rows, READ_EVENTS)
            if full and known.position and len(rows) == 1:  # the one that is known may be so large
                rows = await self._log.read(known.position, READ_EVENTS, READ_BYTES)
                full = is_full(rows, READ_EVENTS)
            for row in rows:
                if row.position == self.head.value + 1:  # the writer may have offered it meanwhile
                    self._take_row(row)
            if not full:
                self._looked_at = looked_at
                return

    async def after(self, position: int, limit: int, timeout: float) -> list[Fact]:
        """The next events beyond `position`; empty when none came within `timeout` seconds.

        Raises Unavailable; UnreadableEvent when the next one cannot be read.
        """
        if not await self.head.reach(position + 1, timeout):
            return []
        recent = self.recent(position, limit)
        if recent is not None:
            return recent
        facts = readable(await self._pages.after(position, min(limit, READ_EVENTS)), told_of)
        if any(isinstance(fact, Erased) for fact in facts):
            # Whose erasure this process has not heard of yet, its later events may still be in memory.
            self._empty()
        return facts

    def recent(self, position: int, limit: int) -> list[Fact] | None:
        """The next events beyond `position` that are in memory, of READ_BYTES and one more at most; None where that has
        not all of them."""
        if not self._window or position + 1 < self._window[0].position:
            return None
        first = position + 1 - self._window[0].position
        last = min(first + limit, len(self._window))
        if self._bytes <= READ_BYTES:
            return [self._window[i] for i in range(first, last)]
        events: list[Fact] = []
        room = READ_BYTES
        for place in range(first, last):
            events.append(self._window[place])
            room -= self._sizes[place]
            if room <= 0:
                break
        return events

    async def _make_sure(self) -> None:
        """That what was there is there. The head alone does not say it: other events may have come in its place."""
        if self._went_back:
            raise LogWentBack(self._went_back)
        doubted, newest, looked_at = self._doubted, self._newest, time.monotonic()
        remembered = [known for known in (self._certain, doubted, newest) if known is not None and known.position]
        there = await self._log.digests([known.position for known in remembered])
        for known in remembered:
            if known.position not in there:
                raise LogWentBack(_gone_back(known.position, "gone"))
            if there[known.position][1] != known.digest:
                raise LogWentBack(_gone_back(known.position, "another event now"))
        self._certain, self._certain_at = newest, looked_at
        if self._doubted is doubted:  # else a doubt came up meanwhile
            self._doubted = None

    def _is_another(self, fact: Recorded) -> bool:
        """Than the one that this process knows at that position, where it is in memory."""
        known = self.recent(fact.position - 1, 1)
        return known is not None and known[0].digest != fact.digest

    def _take_row(self, row: Row) -> None:
        try:
            self._take(told_of(row), row.tenant_id, len(row.state or b""))
        except UnreadableEvent:
            # Whoever follows meets it in the log; here only the head moves on, and no cache may miss it.
            self._forget(row.originator_id)
            self._newest = _Known(row.position, row.digest)
            self._tell(row.tenant_id, row.originator_id, row.originator_version, row.position)

    def _take(self, fact: Fact, tenant_id: str, size: int) -> None:
        placed = fact if isinstance(fact, Erased) else fact.event
        if isinstance(placed, Erasing):
            self._forget(placed.originator_id)
        self._window.append(fact)
        self._sizes.append(size)
        self._bytes += size
        while len(self._window) > WINDOW or (self._bytes > WINDOW_BYTES and len(self._window) > 1):
            self._window.popleft()
            self._bytes -= self._sizes.popleft()
        self._newest = _Known(fact.position, fact.digest)
        self._tell(tenant_id, placed.originator_id, placed.originator_version, fact.position)

    def _forget(self, originator_id: UUID) -> None:
        self._pages.forget()
        self._empty()
        for forget in self._forgetting:
            forget(originator_id)

    def _empty(self) -> None:
        self._window.clear()
        self._sizes.clear()
        self._bytes = 0

    def _tell(self, tenant_id: str, originator_id: UUID, version: int, position: int) -> None:
        for listener in self._listeners:
            listener(tenant_id, originator_id, version, position)
        self.head.set(position)


def _gone_back(position: int, what: str) -> str:
    return (
        f"position {position} of the log is {what}: a failover or a restore took events back, and this process "
        "remembers them. Run `ims restored` first if streams were published or an older log was put back (deploy/"
        "BACKUP.md), then start it again"
    )
