"""Whether an event's content is what was recorded, and says the same as the columns beside it."""

from hashlib import sha256

from domain.event import Recorded
from projections.leaves import Leaf, microseconds_of
from service.audit.verify.findings import Fault, events
from service.store.log import Row
from service.store.mapper import UnreadableEvent, recorded_of


def is_whole(row: Row) -> bool:
    """Whether the content has the digest that the log has of it."""
    return row.state is not None and row.salt is not None and sha256(row.salt + row.state).digest() == row.digest


def read(row: Row) -> Recorded | Fault:
    """The event; a fault where it contradicts a column that the tree does not cover, or cannot be read."""
    try:
        fact = recorded_of(row)
    except UnreadableEvent as error:
        return Fault("EVENT_UNREADABLE", f"event {row.position}: {error}", row.position, row.position)
    if fact.event.subject_id != row.subject_id:
        return _contradicts(row, "subject_id")
    if row.command_id is not None and row.command_id != fact.event.command_id:
        return _contradicts(row, "command_id")
    return fact


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
