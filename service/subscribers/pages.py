"""A tenant's events straight from the log, a page at a time, with a bound on what one page may cost."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import orjson

from projections.cloud_events import CloudEvents, Published
from projections.database import Database, Unavailable
from projections.states import TOPICS
from service.freshness import Freshness
from service.store.feed import Feed
from service.store.history import LogHistory, shown_of
from service.store.log import Log, Row, is_full
from service.store.mapper import UnreadableEvent
from service.subscribers.withheld import ORDERS, withheld

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
"""Events of a page."""
READ_ROWS: Final = 100
"""Rows read, and events rendered, in one go."""
BUSY_SECONDS: Final = 0.0005
"""A process whose other tasks take so long at once has other work to do."""
MAX_SCANNED: Final = 5_000
"""Rows that one page may look at; a filter that few fit gives shorter pages, not longer waits."""
MAX_BYTES: Final = 4 * 2**20
"""Bytes after which a page ends."""

_ORDERS: Final = frozenset(TOPICS[type] for type in ORDERS)
_OF_DEFINITIONS: Final = frozenset(topic for type, topic in TOPICS.items() if type.startswith("ims.attribute."))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose events; `types` as they are published, empty for all; `subject` the incident, None for any; `past`: whether
    with those of incidents that are deleted by now."""

    tenant_id: str
    types: frozenset[str] = frozenset()
    subject: UUID | None = None
    past: bool = True
    topics: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "topics", frozenset(TOPICS[type] for type in self.types))

    def includes(self, event: Published) -> bool:
        return (
            event.tenant_id == self.tenant_id
            and (not self.types or event.type in self.types)
            and (self.subject is None or event.subject == str(self.subject))
        )


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: the position to go on from: up to there nothing is missing. `more`: whether there may be more now."""

    events: list[Published]
    next: int
    more: bool

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(len(event.event) for event in self.events)


class EventPages:
    def __init__(self, log: Log, feed: Feed, database: Database, freshness: Freshness) -> None:
        self._log, self._database, self._freshness = log, database, freshness
        self._events = CloudEvents(orjson, str(log.log_id), LogHistory(log))
        feed.on_erasure(self._events.forget)
        self._turn = asyncio.Lock()

    async def page(self, wanted: Wanted, after: int, limit: int, max_bytes: int | None = None) -> Page:
        """Beyond the position `after`, at most `limit` events, none more once they are of `max_bytes` (MAX_BYTES); of
        what is damaged, its place. Raises Unavailable, NotFresh, UnreadableEvent for what only a newer release can
        read, or where events do not follow each other."""
        if wanted.subject is not None and await self._log.tenant_of(wanted.subject) != wanted.tenant_id:
            return Page([], after, more=False)  # whatever another tenant has of that id, as if it never was
        events: list[Published] = []
        position, scanned, size = after, 0, 0
        max_bytes = MAX_BYTES if max_bytes is None else max_bytes
        while scanned < MAX_SCANNED:
            number = min(READ_ROWS, MAX_SCANNED - scanned)
            room = max_bytes - size
            rows, found, all_of_them = await self._some(wanted, position, number, limit - len(events), room)
            scanned += len(rows)
            for event in found:
                events.append(event)
                size += len(event.event)
                if len(events) == limit or size >= max_bytes:
                    return Page(events, event.position, more=True)
            if not all_of_them:  # what is withheld of them had been read
                return Page(events, events[-1].position, more=True)
            if rows:
                position = rows[-1].position
            if not is_full(rows, number, room):
                return Page(events, position, more=False)
        return Page(events, position, more=True)

    async def _some(
        self, wanted: Wanted, after: int, number: int, limit: int, room: int
    ) -> tuple[Sequence[Row], list[Published], bool]:
        """The rows that were looked at, the events of those that fit, of `room` bytes and one more, and whether these
        are all."""
        async with self._taking_turns():
            rows = await self._rows(wanted, after, number, room)
        fitting = [row for row in rows if _fits(row, wanted)]
        gone: frozenset[UUID] = frozenset()
        if fitting and not wanted.past and (gone := await self._gone(wanted.tenant_id, fitting)):
            fitting = [row for row in fitting if row.subject_id not in gone or row.topic in _ORDERS]
        if not fitting:
            return rows, [], True
        fitting = fitting[:limit]
        async with self._taking_turns():
            events = await self._shown(fitting, room)
        all_of_them = len(events) == len(fitting)
        if gone:
            shown = zip(fitting, events, strict=False)
            events = [withheld(event) if row.subject_id in gone else event for row, event in shown]
        return rows, events, all_of_them

    @asynccontextmanager
    async def _taking_turns(self) -> AsyncIterator[None]:
        """One page has its turn at a time, and where the process has other work, that has as much time: many who catch
        up slow one another, not the API."""
        async with self._turn:
            began = time.perf_counter()
            yield
            done = time.perf_counter()
            await asyncio.sleep(0)
            if time.perf_counter() - done > BUSY_SECONDS:
                await asyncio.sleep(done - began)

    async def _gone(self, tenant_id: str, rows: Sequence[Row]) -> frozenset[UUID]:
        """The incidents among those that these rows are about, of which there is nothing by now; so the read models
        have to have these rows."""
        about = {row.subject_id for row in rows if row.topic not in _OF_DEFINITIONS}
        if not about:
            return frozenset()
        models = await self._freshness.current(tenant_id, rows[-1].position)
        standing = await models.incidents.standing(self._database, tenant_id, [str(id) for id in about])
        return frozenset(id for id in about if str(id) not in standing)

    async def _shown(self, rows: Sequence[Row], room: int) -> list[Published]:
        facts = [shown_of(row) for row in rows]
        try:
            return await self._events.of(facts, room)
        except (Unavailable, UnreadableEvent):
            raise
        except Exception as error:
            raise UnreadableEvent(
                f"events {rows[0].position} to {rows[-1].position}: one of them does not fit those before it"
            ) from error

    async def _rows(self, wanted: Wanted, after: int, limit: int, max_bytes: int) -> Sequence[Row]:
        if wanted.subject is not None:
            return await self._log.of_subject(wanted.subject, after, limit, max_bytes)
        return await self._log.of_tenant(wanted.tenant_id, after, limit, max_bytes)


def _fits(row: Row, wanted: Wanted) -> bool:
    return row.tenant_id == wanted.tenant_id and (not wanted.topics or row.topic in wanted.topics)
