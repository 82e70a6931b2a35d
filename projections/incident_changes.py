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

Load = Callable[[str, Sequence[str]], Awaitable[Sequence[Row]]]
"""A tenant and ids → the rows of these incidents as they are stored."""


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

    An incident that several of them change is written once.
    """

    def __init__(self, json: Json, remembered: Remembered | None = None) -> None:
        self._json, self._remembered = json, remembered
        self._newest: dict[int, Newest] = {}
        """By the number that an id is: a UUID's own hash is a call of Python each time."""
        self._born: set[int] = set()
        self._superseded: list[Superseded] = []
        self._gone: dict[int, tuple[str, str]] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._attributes: list[AttributeChange] = []
        self._erasing: list[tuple[Incident.IncidentErased, int]] = []
        self.size = 0
        """Bytes of the documents of before, which are kept as the past."""

    async def add(self, load: Load, facts: Sequence[Recorded]) -> None:
        """Events that follow those before. `load` finds what is neither among those nor remembered.

        Raises LookupError where one does not follow what was there.
        """
        await self._find(load, facts)
        for start in range(0, len(facts), AT_A_STRETCH):
            self._take(facts[start : start + AT_A_STRETCH])
            await asyncio.sleep(0)

    def _take(self, facts: Sequence[Recorded]) -> None:
        newest, superseded = self._newest, self._superseded
        for fact in facts:
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
                if not changes or not COUNTED.isdisjoint(changes):
                    self._count(old, after.row)
                self._attributes += attribute_changes(fact, changes, after.row[1])
            if isinstance(event, Incident.IncidentErased):
                self._erasing.append((event, position))

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

    async def _find(self, load: Load, facts: Sequence[Recorded]) -> None:
        """The incidents as they were before these events."""
        newest, born = self._newest, self._born
        wanted: dict[str, set[str]] = {}
        for fact in facts:
            event = fact.event
            id = event.originator_id.int
            if id in newest:
                continue
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

    def _count(self, old: Row | None, new: Row | None) -> None:
        before, after = None if old is None else counted(old), None if new is None else counted(new)
        if before == after:
            return
        for key, n in ((before, -1), (after, 1)):
            if key is not None and not key[0]:
                self._counts[key[1:]] += n
