"""What every event says of itself: who, when, which command, which request; and an event with its place in the log."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Self
from uuid import UUID

from eventsourcing.domain import Aggregate, AggregateEvent

from domain.erased import Erased
from domain.errors import Stale, Unmatched
from domain.moments import utc_text

Json = Any
"""What JSON can hold: dict, list, str, int, float, bool, None."""

Match = frozenset[int] | None
"""The versions that a precondition allows; None where there is no precondition."""


class Act(NamedTuple):
    """One command of one user. Time and ids are given from outside, so that deciding is a pure function.

    `request_digest` tells two requests under one idempotency key apart; empty without a key.
    """

    tenant_id: str
    user_id: str
    user_name: str
    command_id: UUID
    trace_id: str
    at: datetime
    request_digest: str = ""

    def facts(self) -> dict[str, Any]:
        return {
            "timestamp": self.at,
            "tenant_id": self.tenant_id,
            "user_id": self.user_id,
            "user_name": self.user_name,
            "command_id": self.command_id,
            "trace_id": self.trace_id,
            "request_digest": self.request_digest,
        }


class ActEvent(AggregateEvent):
    """Base of every event. `subject_id` is the incident that it is about, or the aggregate itself."""

    tenant_id: str
    user_id: str
    user_name: str
    command_id: UUID
    trace_id: str
    request_digest: str

    TOPIC: ClassVar[str]
    erased: ClassVar[Sequence[str]] = ()
    """Members whose content was taken out of this event; its state in the log names them beside its fields."""

    @property
    def subject_id(self) -> UUID:
        return self.originator_id

    def changes(self) -> dict[str, Json]:
        """Each changed member as `{"from": old, "to": new}`, attributes as `attributes.<name>`."""
        return {}


def _made(kind: Any, id: UUID, version: int, content: dict[str, Any]) -> Any:
    """An event, made as the library makes those that it reads from the log."""
    event = object.__new__(kind)
    vars(event).update(originator_id=id, originator_version=version, **content)
    return event


class Kept(Aggregate):
    """An aggregate of this service: its version is what clients know as `occ_lock`, 0 at birth.

    The base `Event` of each has a topic too: the library derives an unused `Created` from it, which must have one.
    """

    INITIAL_VERSION = 0
    TOPIC: ClassVar[str]

    def __init__(self, tenant_id: str, updated_by: str) -> None:
        self.tenant_id = tenant_id
        self.updated_by = updated_by

    @classmethod
    def begin(cls, kind: Any, id: UUID, act: Act, **content: Any) -> Self:
        """The aggregate that its first event makes, the event pending: the library's `_create` without its look-ups."""
        event = _made(kind, id, cls.INITIAL_VERSION, {"originator_topic": cls.TOPIC, **content, **act.facts()})
        aggregate: Self = event.mutate(None)
        aggregate.pending_events.append(event)
        return aggregate

    def trigger_event(self, event_class: Any, **content: Any) -> None:
        """The next event, applied and pending: what the library does, without its look-ups."""
        event = _made(event_class, self.id, self.version + 1, content)
        event.mutate(self)
        self.pending_events.append(event)

    @classmethod
    def unborn(cls, event: ActEvent) -> Self:
        """The aggregate as its first event finds it; `__init__` is still to be called."""
        aggregate = cls.__new__(cls)
        aggregate.__base_init__(event.originator_id, event.originator_version, event.timestamp)
        return aggregate

    def expect(self, occ_lock: int | None, match: Match = None) -> None:
        """Raises Unmatched where versions are named and this is none of them, Stale where the lock is another one."""
        if match is not None and self.version not in match:
            raise Unmatched(f"the version is {self.version}")
        if occ_lock is not None and occ_lock != self.version:
            raise Stale(occ_lock, self.version, self.updated_by, utc_text(self.updated_at))

    def recorded(self, at: datetime) -> None:
        """Take over when the log recorded the newest event; that is the time clients see."""
        if self.version == 0:
            self.created_at = at
        self.updated_at: datetime = at


class Recorded(NamedTuple):
    """An event with its place in the log. `position` is dense from 1; `recorded_at` rises with it.

    `digest` is SHA-256 over what was recorded, with a salt: it stays when the content is erased.
    """

    event: ActEvent
    position: int
    recorded_at: datetime
    digest: bytes


Fact = Recorded | Erased
"""What stands at a position of the log."""


def fold(facts: Iterable[Fact], aggregate: Kept | None = None) -> Any:
    """The aggregate after these events, or None where there is neither; its times are those of the log.

    What was erased says nothing; the event that erased it says what is there since.
    """
    for fact in facts:
        if isinstance(fact, Erased):
            continue
        folded: Any = fact.event.mutate(aggregate)
        folded.recorded(fact.recorded_at)
        aggregate = folded
    return aggregate
