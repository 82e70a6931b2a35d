"""Events as subscribers get them: CloudEvents 1.0 in JSON, each with what it changed and the state after it.

`data.state` is the state at that version, not today's. It is folded as events pass by: reading on costs no replay, and
only an aggregate that is met in the middle of its life is read from its beginning.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain.erased import Erased
from domain.erasure import Erasing
from domain.event import ActEvent, Fact
from domain.moments import utc_text
from projections.bounded import Bounded
from projections.database import Json
from projections.documents import Document
from projections.states import KINDS, UNKNOWN

MAX_KEPT = 10_000
"""Aggregates whose last state is kept for the events that come next, of those that were changed since their birth."""
MAX_NEW = 1_000
"""The same of those that were not, of which the birth itself is kept. Most of them are not changed soon, and many in
memory cost every request."""
KEPT_BYTES = 8_000_000
"""Of each of both, as they are rendered."""
RENDERED_BYTES = 4_000_000
"""Of events that are rendered at once, a single larger one apart: each has the whole state of what it is about."""
MAX_HISTORIES = 4
"""Histories that are read at once."""
SEQUENCE_DIGITS: Final = 20
"""Digits of `sequence`, so that it sorts as text does."""


class Published(NamedTuple):
    """One event for subscribers: `event` is the CloudEvent, `digest` the hexadecimal SHA-256 of the log's row."""

    position: int
    tenant_id: str
    type: str
    subject: str
    event: bytes
    digest: str


class History(Protocol):
    """Where an aggregate's past is read."""

    async def before(self, originator_id: UUID, version: int) -> Sequence[Fact]:
        """Its events before that version, the oldest first."""
        ...


class _Folded:
    """An aggregate as of `version`; `document` is None where it cannot be known. `due`: the version that it will have
    when the events at hand are folded in."""

    __slots__ = ("document", "due", "version")

    def __init__(self) -> None:
        self.version = self.due = -1
        self.document: Document | None = None


class CloudEvents:
    """What it is given may leave out events (a filter), and may go back: the states are right all the same."""

    def __init__(self, json: Json, log_id: str, history: History) -> None:
        self._json, self._log_id, self._history = json, log_id, history
        self._kept: Bounded[_Folded] = Bounded(MAX_KEPT, KEPT_BYTES)
        self._new: Bounded[Fact] = Bounded(MAX_NEW, KEPT_BYTES)
        self._forgets = 0

    def forget(self, originator_id: UUID) -> None:
        """Something of it was erased: what is known of it may be more than the log says by now."""
        self._kept.pop(originator_id.int)
        self._new.pop(originator_id.int)
        self._forgets += 1

    async def of(self, facts: Sequence[Fact], max_bytes: int = RENDERED_BYTES) -> list[Published]:
        """In the order given, positions rising: as many as make so many bytes, one at least. Raises whatever the
        history raises."""
        forgets = self._forgets
        states, missing = self._states_before(facts)
        pasts = await self._pasts(missing) if missing else {}
        published, room = list[Published](), max_bytes
        for fact in facts:
            published.append(self._render(fact, states, pasts))
            room -= len(published[-1].event)
            if room <= 0:
                break
        self._keep(facts, published, states if forgets == self._forgets else {})
        return published

    def _keep(self, facts: Sequence[Fact], published: Sequence[Published], states: Mapping[int, _Folded]) -> None:
        """`states`: none where one of them may be what was to be forgotten meanwhile."""
        for fact, one in zip(facts, published, strict=False):
            placed = fact if isinstance(fact, Erased) else fact.event
            id, size = placed.originator_id.int, len(one.event)
            if not placed.originator_version:
                if id in self._new:
                    self._new.put(id, fact, size)
            elif id in states:
                self._kept.put(id, states[id], size)

    def _states_before(self, facts: Sequence[Fact]) -> tuple[dict[int, _Folded], dict[UUID, int]]:
        """Taken out of what is kept, so that nobody else who waits meanwhile changes them; and the versions before
        which some of them have to be read."""
        states: dict[int, _Folded] = {}
        missing: dict[UUID, int] = {}
        for fact in facts:
            placed = fact if isinstance(fact, Erased) else fact.event
            id, version = placed.originator_id.int, placed.originator_version
            if not version:
                self._new.put(id, fact, 0)  # how large it is shows when it is rendered
                continue
            state = states.get(id)
            if state is None:
                state = states[id] = self._state_before(id, version)
                state.due = state.version
            if state.due != version - 1:
                missing[placed.originator_id] = version
            state.due = version
        return states, missing

    def _state_before(self, id: int, version: int) -> _Folded:
        """What is kept, if it is that; else of nothing."""
        kept = self._kept.pop(id)
        if kept is not None and kept.version == version - 1:
            return kept
        if version == 1:
            state, birth = _Folded(), self._new.pop(id)
            if birth is not None:
                _catch_up(state, [birth], version)
            return state
        return _Folded()

    async def _pasts(self, missing: Mapping[UUID, int]) -> dict[int, list[Fact]]:
        """The events before those versions, the newest first."""
        turns = asyncio.Semaphore(MAX_HISTORIES)

        async def read(id: UUID, version: int) -> tuple[int, list[Fact]]:
            async with turns:
                return id.int, list(reversed(await self._history.before(id, version)))

        return dict(await asyncio.gather(*(read(id, version) for id, version in missing.items())))

    def _render(self, fact: Fact, states: dict[int, _Folded], pasts: dict[int, list[Fact]]) -> Published:
        if isinstance(fact, Erased):
            if fact.originator_version:
                _forget(states[fact.originator_id.int], fact)
            return self._erased(fact)
        event, at = fact.event, utc_text(fact.recorded_at)
        type, apply = KINDS[event.TOPIC]
        if event.originator_version:
            state = states[event.originator_id.int]
            if pasts and (past := pasts.get(event.originator_id.int)):
                _catch_up(state, past, event.originator_version)
            document = _fold(state, event, at)
        else:
            document = apply(None, event, at)
        subject = _subject(event, document)
        position, tenant_id, digest = fact.position, event.tenant_id, fact.digest.hex()
        data: dict[str, Any] = {
            "occ_lock": event.originator_version, "changes": event.changes(), "state": document,
        }  # fmt: skip
        if event.erased:
            data["erased"] = event.erased
        if isinstance(event, Erasing):
            data |= {"fields": event.fields, "reason": event.reason, "positions": sorted(map(int, event.redacted))}
        cloud_event: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(position),
            "source": self._source(tenant_id),
            "type": type,
            "subject": subject,
            "time": at,
            "datacontenttype": "application/json",
            "sequence": str(position).zfill(SEQUENCE_DIGITS),
            "tenantid": tenant_id,
            "actorid": event.user_id,
            "traceparent": f"00-{event.trace_id}-{(event.command_id.int >> 64).to_bytes(8).hex()}-01",
            "partitionkey": subject,
            "logid": self._log_id,
            "data": data,
        }
        return Published(position, tenant_id, type, subject, self._json.dumps(cloud_event), digest)

    def _source(self, tenant_id: str) -> str:
        """With the log's id: a log that was restored gives positions, which are the ids of events, a second time."""
        return f"/tenants/{tenant_id}/ims/{self._log_id}"

    def _erased(self, fact: Erased) -> Published:
        """That something was there, when, and its digest; what it said nobody knows."""
        type = KINDS[fact.topic][0] if fact.topic in KINDS else UNKNOWN
        subject, digest = str(fact.subject_id), fact.digest.hex()
        why = "unreadable" if fact.damaged else "erased"
        cloud_event = {
            "specversion": "1.0",
            "id": str(fact.position),
            "source": self._source(fact.tenant_id),
            "type": type,
            "subject": subject,
            "time": utc_text(fact.recorded_at),
            "datacontenttype": "application/json",
            "sequence": str(fact.position).zfill(SEQUENCE_DIGITS),
            "tenantid": fact.tenant_id,
            "partitionkey": subject,
            "logid": self._log_id,
            "data": {"occ_lock": fact.originator_version, why: True, "digest": digest},
        }
        return Published(fact.position, fact.tenant_id, type, subject, self._json.dumps(cloud_event), digest)


def _catch_up(state: _Folded, pasts: list[Fact], version: int) -> None:
    """Fold in what lies before that version."""
    while pasts and state.version < version - 1:
        past = pasts.pop()
        if isinstance(past, Erased):
            _forget(state, past)
        elif past.event.originator_version == state.version + 1:
            _fold(state, past.event, utc_text(past.recorded_at))


def _forget(state: _Folded, erased: Erased) -> None:
    """Nobody knows the states that follow."""
    state.version, state.document = erased.originator_version, None


def _subject(event: ActEvent, document: Document | None) -> str:
    """As text, which the document of what is about itself has already."""
    id = event.subject_id
    return str(id) if document is None or id is not event.originator_id else document["id"]


def _fold(state: _Folded, event: ActEvent, at: str) -> Document | None:
    """`at`: when it was recorded. Returns the document after it."""
    if event.originator_version != state.version + 1:
        raise LookupError(f"version {event.originator_version} follows {state.version}")
    if state.document is not None or event.originator_version == 0:
        state.document = KINDS[event.TOPIC][1](state.document, event, at)
    state.version = event.originator_version
    return state.document
