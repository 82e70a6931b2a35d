"""Events as subscribers get them: CloudEvents 1.0 in JSON, each with what it changed and the state after it.

`data.state` is the state at that version, not today's. It is folded as events pass by: reading on costs no replay, and
only an aggregate that is met in the middle of its life is read from its beginning.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain.erased import Erased
from domain.erasure import Erasing
from domain.event import ActEvent, Fact, Recorded
from domain.moments import utc_text
from projections.database import Json
from projections.documents import Document
from projections.states import KINDS

MAX_KEPT = 10_000
"""Aggregates whose last state is kept for the events that come next, of those that were changed since their birth."""
MAX_NEW = 1_000
"""The same of those that were not. Most of them are not changed soon, and many in memory cost every request."""
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
    when the events at hand are folded in. `subject` is empty until it is asked for."""

    __slots__ = ("document", "due", "subject", "version")

    def __init__(self) -> None:
        self.version = self.due = -1
        self.document: Document | None = None
        self.subject = ""


class CloudEvents:
    """What it is given may leave out events (a filter), and may go back: the states are right all the same."""

    def __init__(self, json: Json, log_id: str, history: History) -> None:
        self._json, self._log_id, self._history = json, log_id, history
        self._kept: OrderedDict[int, _Folded] = OrderedDict()
        """By the number that an id is: a UUID's own hash is a call of Python each time."""
        self._new: OrderedDict[int, _Folded] = OrderedDict()
        self._forgets = 0

    def forget(self, originator_id: UUID) -> None:
        """Something of it was erased: what is known of it may be more than the log says by now."""
        self._kept.pop(originator_id.int, None)
        self._new.pop(originator_id.int, None)
        self._forgets += 1

    async def of(self, facts: Sequence[Fact]) -> list[Published]:
        """In the order given, positions rising. Raises whatever the history raises."""
        forgets = self._forgets
        states, missing = self._states_before(facts)
        pasts = await self._pasts(missing) if missing else {}
        published = [self._render(fact, states, pasts) for fact in facts]
        if forgets == self._forgets:  # else one of them may be what was to be forgotten meanwhile
            for id, state in states.items():
                (self._kept if state.version else self._new)[id] = state
        for kept, most in ((self._kept, MAX_KEPT), (self._new, MAX_NEW)):
            while len(kept) > most:
                kept.popitem(last=False)
        return published

    def _states_before(self, facts: Sequence[Fact]) -> tuple[dict[int, _Folded], dict[UUID, int]]:
        """Taken out of what is kept, so that nobody else who waits meanwhile changes them; and the versions before
        which some of them have to be read."""
        states: dict[int, _Folded] = {}
        missing: dict[UUID, int] = {}
        for fact in facts:
            placed = fact if isinstance(fact, Erased) else fact.event
            id, version = placed.originator_id.int, placed.originator_version
            state = states.get(id)
            if state is None:
                state = (self._new if version == 1 else self._kept).pop(id, None)
                if state is None or state.version != version - 1:
                    state = _Folded()
                states[id] = state
                state.due = state.version
            if state.due != version - 1:
                missing[placed.originator_id] = version
            state.due = version
        return states, missing

    async def _pasts(self, missing: Mapping[UUID, int]) -> dict[int, list[Fact]]:
        """The events before those versions, the newest first."""
        turns = asyncio.Semaphore(MAX_HISTORIES)

        async def read(id: UUID, version: int) -> tuple[int, list[Fact]]:
            async with turns:
                return id.int, list(reversed(await self._history.before(id, version)))

        return dict(await asyncio.gather(*(read(id, version) for id, version in missing.items())))

    def _render(self, fact: Fact, states: dict[int, _Folded], pasts: dict[int, list[Fact]]) -> Published:
        if isinstance(fact, Erased):
            return self._erased(fact, states[fact.originator_id.int])
        event = fact.event
        state = states[event.originator_id.int]
        if pasts and (past := pasts.get(event.originator_id.int)):
            _catch_up(state, past, event.originator_version)
        at = _fold(state, fact)
        type, subject = KINDS[event.TOPIC][0], state.subject or _subject(state, event)
        position, tenant_id, digest = fact.position, event.tenant_id, fact.digest.hex()
        data: dict[str, Any] = {
            "occ_lock": event.originator_version, "changes": event.changes(), "state": state.document,
        }  # fmt: skip
        if event.erased:
            data["erased"] = event.erased
        if isinstance(event, Erasing):
            data |= {"fields": event.fields, "reason": event.reason, "positions": sorted(map(int, event.redacted))}
        cloud_event: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(position),
            "source": f"/tenants/{tenant_id}/ims",
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

    def _erased(self, fact: Erased, state: _Folded) -> Published:
        """That something was there, when, and its digest; what it said, and the states that follow, nobody knows."""
        state.version, state.document = fact.originator_version, None
        type, subject, digest = KINDS[fact.topic][0], _subject(state, fact), fact.digest.hex()
        cloud_event = {
            "specversion": "1.0",
            "id": str(fact.position),
            "source": f"/tenants/{fact.tenant_id}/ims",
            "type": type,
            "subject": subject,
            "time": utc_text(fact.recorded_at),
            "datacontenttype": "application/json",
            "sequence": str(fact.position).zfill(SEQUENCE_DIGITS),
            "tenantid": fact.tenant_id,
            "partitionkey": subject,
            "logid": self._log_id,
            "data": {"occ_lock": fact.originator_version, "erased": True, "digest": digest},
        }
        return Published(fact.position, fact.tenant_id, type, subject, self._json.dumps(cloud_event), digest)


def _catch_up(state: _Folded, pasts: list[Fact], version: int) -> None:
    """Fold in what lies before that version."""
    while pasts and state.version < version - 1:
        past = pasts.pop()
        if isinstance(past, Erased):
            state.version, state.document = past.originator_version, None
        elif past.event.originator_version == state.version + 1:
            _fold(state, past)


def _subject(state: _Folded, placed: ActEvent | Erased) -> str:
    """As text, which the document of what is about itself has already."""
    id, document = placed.subject_id, state.document
    state.subject = str(id) if document is None or id is not placed.originator_id else document["id"]
    return state.subject


def _fold(state: _Folded, fact: Recorded) -> str:
    """Returns when it was recorded, as text."""
    event, at = fact.event, utc_text(fact.recorded_at)
    if event.originator_version != state.version + 1:
        raise LookupError(f"version {event.originator_version} follows {state.version}")
    if state.document is not None or event.originator_version == 0:
        state.document = KINDS[event.TOPIC][1](state.document, event, at)
    state.version = event.originator_version
    return at
