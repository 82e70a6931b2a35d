"""Whether an event's content is what was recorded, and says the same as the columns beside it."""

from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from eventsourcing.persistence import MapperDeserialisationError as NotDecoded

from domain.event import Recorded
from projections.leaves import Leaf, microseconds_of
from service.audit.verify.findings import Fault, events
from service.store.log import Row
from service.store.mapper import UnreadableEvent, members_of, recorded_of

UNSOUND: Final = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, UnreadableEvent, NotDecoded)
"""What is raised by events that cannot be read, or that do not fit each other."""


def is_whole(row: Row) -> bool:
    """Whether the content has the digest that the log has of it."""
    state, salt = row.state, row.salt
    return type(state) is bytes and type(salt) is bytes and sha256(salt + state).digest() == row.digest


def read(row: Row) -> Recorded | Fault:
    """The event; a fault where it contradicts a column that the tree does not cover, or cannot be read."""
    try:
        fact = recorded_of(row)
    except UnreadableEvent as error:
        return Fault("EVENT_UNREADABLE", f"event {row.position}: {error}", row.position, row.position)
    if fact.event.subject_id != row.subject_id:
        return _contradicts(row, "subject_id")
    if not _commanded(row.command_id, fact.event.command_id, fact.event.request_digest, fact.event.erased):
        return _contradicts(row, "command_id")
    if fact.event.tenant_id != row.tenant_id:
        return _contradicts(row, "tenant_id")
    return fact


def members(
    topic: str, state: bytes, tenant_id: str, id: str, subject_id: str, command_id: str | None
) -> dict[str, Any]:
    """What `read` finds in an event that is no fault, without making one: its members, ids and times coded or not.

    Raises one of UNSOUND where `read` has to tell what is wrong.
    """
    found = members_of(topic, state)
    at, by, about = found["timestamp"], found["command_id"], found.get("incident_id")
    if type(at) is dict:
        datetime.fromisoformat(at["_data_"])
    told = by["_data_"] if type(by) is dict else by.hex
    subject = id if about is None else about["_data_"] if type(about) is dict else about.hex
    commanded = _commanded(command_id, told, found["request_digest"], found.get("erased"))
    if subject != subject_id or found["tenant_id"] != tenant_id or not commanded:
        raise ValueError("contradicts a column")
    return found


def _commanded(column: Any, told: Any, request_digest: str, erased: Any) -> bool:
    """Whether the column says what the event does: only a command with an idempotency key has its id there, and the
    digest of its request with it. An erasure takes that digest away."""
    if column is None:
        return not request_digest
    return bool(column == told) and bool(request_digest or erased)


def leaf_of_row(row: Row) -> Leaf:
    """As the tree has it."""
    return Leaf(
        row.position,
        row.tenant_id,
        row.originator_id.hex,
        row.originator_version,
        row.topic,
        microseconds_of(row.recorded_at),
        row.digest,
    )


def _contradicts(row: Row, column: str) -> Fault:
    return events("EVENT_ALTERED", row.position, row.position, f"altered: its {column} is not the one of its content")
