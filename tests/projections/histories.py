"""Long histories of many incidents, the same ones every time."""

from dataclasses import replace
from itertools import count, islice
from uuid import UUID

from domain.event import ActEvent
from tests.domain.examples import BREACH, added, attribute_set, defined, deleted, edited, reported, restored


def _of_one(number: int) -> tuple[ActEvent, ...]:
    id = UUID(int=number)
    status = ("NEW", "OPEN", "CLOSED")[number % 3]
    events: tuple[ActEvent, ...] = (
        reported({"count": number}, name=f"Number {number}", severity=("", "LOW")[number % 2]),
        edited(1, status=(BREACH["status"], status), name=(f"Number {number}", f"The number {number}")),
        attribute_set(2, "workflowId", None, f"w-{number}"),
        deleted(3),
        restored(4),
    )
    told = islice(events, number % len(events) + 1)
    comment = replace(added(f"On {number}"), originator_id=UUID(int=10**9 + number))
    return (*(replace(event, originator_id=id) for event in told), comment)


def long_history(length: int, first: int = 1) -> tuple[ActEvent, ...]:
    """Events of incidents that are numbered from `first`; the very first one has a definition before it."""
    events = (event for number in count(first) for event in _of_one(number))
    return (defined(0, "people", "INT"), *islice(events, length - 1)) if first == 1 else tuple(islice(events, length))
