"""What may be erased from the log: the members in which people write, one by one or all of it; and who asks how."""

import re
from collections.abc import Collection, Sequence
from typing import Any, Final, Literal

from domain.attribute_types import NAME_PATTERN
from domain.attribute_values import ATTRIBUTES
from domain.errors import Absent, Fault, Invalid
from domain.event import Act, ActEvent, Kept, Match
from domain.rules import Text

ALL: Final = "all"
"""Everything that was recorded of the aggregate, for good: nothing can be done with it afterwards."""
EVERY_ATTRIBUTE: Final = "attributes"
OF_INCIDENT: Final = ("name", "description", "reported_by", "location", EVERY_ATTRIBUTE)
"""Beside `attributes.<name>`. Codes, times and flags are not what somebody wrote."""
OF_COMMENT: Final = ("text",)
MAX_FIELDS: Final = 1_000
REASON: Final = Text(1_000)

Fields = Literal["all"] | list[str]


class Erasing(ActEvent):
    """What the events that erase have in common.

    `redacted`: by the position of each earlier event that was rewritten, as text, the hexadecimal SHA-256 over its new
    salt and what is left of it; empty where nothing is.
    """

    fields: Fields
    reason: str
    redacted: dict[str, str]

    def nothing(self) -> Kept:
        """The aggregate with no content at all, its `__init__` done."""
        raise NotImplementedError

    def mutate(self, aggregate: Any) -> Any:
        """What was recorded before may be gone from the log: then this event makes the aggregate by itself."""
        if aggregate is None or aggregate.version != self.originator_version - 1:
            aggregate = self.nothing()
            aggregate.version = self.originator_version - 1
        return super().mutate(aggregate)


def fault_of_fields(value: object, allowed: Sequence[str] = OF_INCIDENT) -> Fault | None:
    """`value` is `"all"`, or a list of some of `allowed`; with `attributes`, also of `attributes.<name>`."""
    if value == ALL:
        return None
    if not isinstance(value, list) or not all(isinstance(field, str) for field in value):
        return Fault("TYPE_INVALID", 'must be "all" or a list of texts')
    if not 1 <= len(value) <= MAX_FIELDS or not all(re.fullmatch(pattern_of(allowed), field) for field in value):
        listed = ", ".join((*allowed, *([f"{ATTRIBUTES}<name>"] if EVERY_ATTRIBUTE in allowed else [])))
        return Fault("FIELD_NOT_ERASABLE", f'must be "all" or a list of 1 to {MAX_FIELDS} of these: {listed}')
    return None


def pattern_of(allowed: Sequence[str]) -> str:
    """Of one field, as a regular expression."""
    by_name = [re.escape(ATTRIBUTES) + NAME_PATTERN.strip("^$")] if EVERY_ATTRIBUTE in allowed else []
    return f"^({'|'.join((*allowed, *by_name))})$"


def normal(fields: Fields) -> Fields:
    """Each field once, in order."""
    return fields if fields == ALL else sorted({*fields})


def faults_of_erasure(fields: object, reason: object, allowed: Sequence[str] = OF_INCIDENT) -> list[Fault]:
    faults = (fault_of_fields(fields, allowed), "fields"), (REASON(reason), "reason")
    return [fault.at(member) for fault, member in faults if fault is not None]


def erasing(
    aggregate: Kept,
    act: Act,
    fields: Fields,
    reason: str,
    redacted: dict[str, str],
    occ_lock: int | None,
    match: Match,
    *,
    gone: bool,
    allowed: Sequence[str] = OF_INCIDENT,
) -> dict[str, Any]:
    """What the event that erases says; `gone`: all was erased before. Raises Absent, Unmatched, Stale, Invalid."""
    if gone:
        raise Absent
    aggregate.expect(occ_lock, match)
    faults = faults_of_erasure(fields, reason, allowed)
    if faults:
        raise Invalid(faults)
    return {"fields": normal(fields), "reason": reason, "redacted": redacted, **act.facts()}


def covers(fields: Collection[str], member: str) -> bool:
    """Whether these fields name the member, itself or among all attributes."""
    return member in fields or (EVERY_ATTRIBUTE in fields and member.startswith(ATTRIBUTES))


def changes_by(fields: Any) -> dict[str, Any]:
    """What an erasure of these fields changed, as every event tells it: to nothing, and from what is not said."""
    return {} if fields == ALL else {field: {"from": None, "to": None} for field in fields}
