"""What events do to incidents, found out before any of it is written."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from domain.event import Recorded
from domain.incident import Incident
from projections.database import Json
from projections.incident_attributes import AttributeChange, attribute_changes
from projections.past import Superseded
from projections.remembered import Remembered
from projections.versions import COUNTED, Newest, Row, counted, following

AT_A_STRETCH = 50
"""Events that are folded while everybody else waits: half a millisecond."""
WRITTEN_BYTES = 4_000_000
"""Of documents that are written in one transaction, about: a status is edited in a few bytes, and every version of the
incident is kept with all of its texts."""
UNMEASURED = 16
"""Incidents of a tenant that are loaded without asking first how large they are."""

Load = Callable[[str, Sequence[str]], Awaitable[Sequence[Row]]]
"""A tenant and ids → the rows of these incidents as they are stored."""
Measure = Callable[[str, Sequence[str]], Awaitable[Sequence[tuple[str, int]]]]
"""A tenant and ids → each with the bytes of its document."""


class IncidentChanges(NamedTuple):
    """What some events do: to the incidents that they report, to others, to the past, the counts and the attributes."""

    born: Sequence[Row]
    changed: Sequence[Row]
    superseded: Sequence[Superseded]
    gone: Sequence[tuple[str, str]]
    counts: Sequence[tuple[Any, ...]]
    attributes: Sequence[AttributeChange]
    erasing: Sequence[tuple[Incident.IncidentErased, int]]
    """With their positions."""


class IncidentFold:
    """Any number of events, a few at a time: what one has just read is still at hand when it is folded.

    An incident that several of them change is written once. `max_bytes`: of documents, after which no more is taken.
    """

    def __init__(self, json: Json, remembered: Remembered | None = None, max_bytes: int = WRITTEN_BYTES) -> None:
        self._json, self._remembered, self._max_bytes = json, remembered, max_bytes
        self._newest: dict[int, Newest] = {}
        """By the number that an id is: a UUID's own hash is a call of Python each time."""
        self._born: set[int] = set()
        self._superseded: list[Superseded] = []
        self._gone: dict[int, tuple[str, str]] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._attributes: list[AttributeChange] = []
        self._erasing: list[tuple[Incident.IncidentErased, int]] = []
        self.size = 0
        """Bytes of the documents of before, which are kept as the past, and of those that were reported."""

    async def add(self, load: Load, measure: Measure, facts: Sequence[Recorded]) -> int:
        """Events that follow those before; returns how many of them were taken, one at least. `load` finds what is
        neither among those nor remembered.

        Raises LookupError where one does not follow what was there.
        """
        fitting = await self._fitting(measure, facts)
        found = await self._find(load, fitting)
        taken = 0
        for start in range(0, len(fitting), AT_A_STRETCH):
            stretch = fitting[start : start + AT_A_STRETCH]
            some = self._take(stretch)
            taken += some
            await asyncio.sleep(0)
            if some < len(stretch):
                break
        if taken < len(fitting):
            for id in found - {fact.event.originator_id.int for fact in fitting[:taken]}:
                self._newest.pop(id, None)  # nothing has changed it
                self._born.discard(id)
        return taken

    def _take(self, facts: Sequence[Recorded]) -> int:
        """How many, one at least: none beyond the bytes."""
        newest, superseded = self._newest, self._superseded
        for taken, fact in enumerate(facts, 1):
            event, position = fact.event, fact.position
            id, changes = event.originator_id.int, event.changes()
            before, old = newest.get(id), None
            if before is not None:
                old = before.row
                superseded.append((*old, position))
                self.size += len(old[-1])
            after = following(before, fact, changes, self._json)
            if after is None:
                newest.pop(id, None)
                self._gone[id] = (event.tenant_id, str(event.originator_id))
                self._count(old, None)
            else:
                newest[id] = after
                if before is None:
                    self.size += len(after.row[-1])
                if not changes or not COUNTED.isdisjoint(changes):
                    self._count(old, after.row)
                self._attributes += attribute_changes(fact, changes, after.row[1])
            if isinstance(event, Incident.IncidentErased):
                self._erasing.append((event, position))
            if self.size >= self._max_bytes:
                return taken
        return len(facts)

    def changes(self) -> IncidentChanges:
        """Of all of them; no more can be added then."""
        if self._remembered is not None:
            self._remembered.keep(self._newest, self._gone)
        born = self._born
        return IncidentChanges(
            [one.row for id, one in self._newest.items() if id in born],
            [one.row for id, one in self._newest.items() if id not in born],
            self._superseded,
            list(self._gone.values()),
            # Also of what came back to nothing: these rows tell which codes there ever were.
            [(*key, n) for key, n in sorted(self._counts.items())],
            self._attributes,
            self._erasing,
        )

    async def _fitting(self, measure: Measure, facts: Sequence[Recorded]) -> Sequence[Recorded]:
        """As many of them as memory has room for what has to be loaded, one at least."""
        unknown: dict[str, set[str]] = {}
        for fact in facts:
            event, id = fact.event, fact.event.originator_id.int
            if event.originator_version and id not in self._newest and id not in self._born:
                unknown.setdefault(event.tenant_id, set()).add(str(event.originator_id))
        sizes: dict[str, int] = {}
        for tenant_id, ids in unknown.items():
            if len(ids) > UNMEASURED:
                sizes.update(await measure(tenant_id, sorted(ids)))
        room = self._max_bytes
        if sum(sizes.values()) <= room:
            return facts
        for place, fact in enumerate(facts):
            room -= sizes.pop(str(fact.event.originator_id), 0)
            if room < 0 and place:
                return facts[:place]
        return facts

    async def _find(self, load: Load, facts: Sequence[Recorded]) -> set[int]:
        """The incidents as they were before these events; returns which of them are new here."""
        newest, born = self._newest, self._born
        found: set[int] = set()
        wanted: dict[str, set[str]] = {}
        for fact in facts:
            event = fact.event
            id = event.originator_id.int
            if id in newest:
                continue
            found.add(id)
            if event.originator_version == 0:
                born.add(id)
            elif id not in born:
                known = None if self._remembered is None else self._remembered.get(id)
                if known is not None:
                    newest[id] = known
                else:
                    wanted.setdefault(event.tenant_id, set()).add(str(event.originator_id))
        for tenant_id, ids in wanted.items():
            for row in await load(tenant_id, sorted(ids)):
                newest[UUID(row[1]).int] = Newest.stored(row, self._json)
        return found

    def _count(self, old: Row | None, new: Row | None) -> None:
        before, after = None if old is None else counted(old), None if new is None else counted(new)
        if before == after:
            return
        for key, n in ((before, -1), (after, 1)):
            if key is not None and not key[0]:
                self._counts[key[1:]] += n
