"""Events as subscribers get them: CloudEvents 1.0 in JSON, each with what it changed and the state after it.

`data.state` is the state at that version, not today's. It is folded as events pass by: reading on costs no replay, and
only an aggregate that is met in the middle of its life is read from its beginning.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain.erased import Erased
from domain.erasure import Erasing
from domain.event import Fact, Recorded
from domain.moments import utc_text
from projections.database import Json
from projections.documents import Document
from projections.states import KINDS

MAX_KEPT = 10_000
"""Aggregates whose last state is kept for the events that come next."""
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
    """An aggregate as of `version`; `document` is None where it cannot be known. `ahead`: events not yet folded in."""

    __slots__ = ("ahead", "document", "subject", "version")

    def __init__(self, subject: str) -> None:
        self.version = -1
        self.document: Document | None = None
        self.subject = subject
        self.ahead: list[Fact] = []


class CloudEvents:
    """What it is given may leave out events (a filter), and may go back: the states are right all the same."""

    def __init__(self, json: Json, log_id: str, history: History) -> None:
        self._json, self._log_id, self._history = json, log_id, history
        self._kept: OrderedDict[int, _Folded] = OrderedDict()
        """By the number that an id is: a UUID's own hash is a call of Python each time."""
        self._forgets = 0

    def forget(self, originator_id: UUID) -> None:
        """Something of it was erased: what is known of it may be more than the log says by now."""
        self._kept.pop(originator_id.int, None)
        self._forgets += 1

    async def of(self, facts: Sequence[Fact]) -> list[Published]:
        """In the order given, positions rising. Raises whatever the history raises."""
        forgets = self._forgets
        states = await self._states_before(facts)
        published = [self._render(fact, states) for fact in facts]
        if forgets == self._forgets:  # else one of them may be what was to be forgotten meanwhile
            for id, state in states.items():
                state.ahead = []
                self._kept[id] = state
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return published

    async def _states_before(self, facts: Sequence[Fact]) -> dict[int, _Folded]:
        """Taken out of what is kept, so that nobody else who waits meanwhile changes them."""
        states: dict[int, _Folded] = {}
        versions: dict[int, int] = {}
        missing: dict[UUID, int] = {}
        for fact in facts:
            placed = fact if isinstance(fact, Erased) else fact.event
            id, version = placed.originator_id.int, placed.originator_version
            if id not in states:
                kept = self._kept.pop(id, None)
                states[id] = kept if kept and kept.version == version - 1 else _Folded(str(placed.subject_id))
                versions[id] = states[id].version
            if versions[id] != version - 1:
                missing[placed.originator_id] = version
            versions[id] = version
        if missing:
            turns = asyncio.Semaphore(MAX_HISTORIES)
            await asyncio.gather(*(self._read(states[id.int], id, version, turns) for id, version in missing.items()))
        return states

    async def _read(self, state: _Folded, id: UUID, version: int, turns: asyncio.Semaphore) -> None:
        async with turns:
            state.ahead = list(reversed(await self._history.before(id, version)))

    def _render(self, fact: Fact, states: dict[int, _Folded]) -> Published:
        if isinstance(fact, Erased):
            return self._erased(fact, states[fact.originator_id.int])
        event = fact.event
        state = states[event.originator_id.int]
        if state.ahead:
            _catch_up(state, event.originator_version)
        type, subject = KINDS[event.TOPIC][0], state.subject
        at = _fold(state, fact)
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
            "traceparent": f"00-{event.trace_id}-{event.command_id.hex[:16]}-01",
            "partitionkey": subject,
            "logid": self._log_id,
            "data": data,
        }
        return Published(position, tenant_id, type, subject, self._json.dumps(cloud_event), digest)

    def _erased(self, fact: Erased, state: _Folded) -> Published:
        """That something was there, when, and its digest; what it said, and the states that follow, nobody knows."""
        state.version, state.document, state.ahead = fact.originator_version, None, []
        type, subject, digest = KINDS[fact.topic][0], state.subject, fact.digest.hex()
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


def _catch_up(state: _Folded, version: int) -> None:
    """Fold in what lies before that version."""
    while state.ahead and state.version < version - 1:
        past = state.ahead.pop()
        if isinstance(past, Erased):
            state.version, state.document = past.originator_version, None
        elif past.event.originator_version == state.version + 1:
            _fold(state, past)


def _fold(state: _Folded, fact: Recorded) -> str:
    """Returns when it was recorded, as text."""
    event, at = fact.event, utc_text(fact.recorded_at)
    if event.originator_version != state.version + 1:
        raise LookupError(f"version {event.originator_version} follows {state.version}")
    if state.document is not None or event.originator_version == 0:
        state.document = KINDS[event.TOPIC][1](state.document, event, at)
    state.version = event.originator_version
    return at
