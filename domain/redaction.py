"""An event without what was erased: of each kind, where it holds what somebody wrote."""

from collections.abc import Collection
from typing import Any

from domain.attribute_values import ATTRIBUTES
from domain.erasure import Erasing, covers
from domain.event import ActEvent, Json
from domain.incident import Incident


def without(event: ActEvent, fields: Collection[str]) -> ActEvent:
    """The event with null in place of these members; itself where it held nothing of them.

    The digest of its request goes too: with it, whoever guesses what the request may have said can see that it did.
    """
    if isinstance(event, Erasing):
        return event
    taken = _taken(event, fields)
    if event.request_digest:
        taken["request_digest"] = ""
    if not taken:
        return event
    left = object.__new__(type(event))
    vars(left).update(vars(event) | taken | {"erased": sorted({*event.erased, *fields})})
    return left


def _taken(event: ActEvent, fields: Collection[str]) -> dict[str, Json]:
    """What stands in the event's state from now on, by the names of its members."""
    match event:
        case Incident.IncidentReported(details=details, attributes=attributes):
            left: dict[str, Any] = {
                "details": {member: None if member in fields else value for member, value in details.items()},
                "attributes": {name: v for name, v in attributes.items() if not covers(fields, ATTRIBUTES + name)},
            }
        case Incident.IncidentEdited(edits=edits):
            nothing = {"from": None, "to": None}
            left = {"edits": {m: nothing if covers(fields, m) else change for m, change in edits.items()}}
        case Incident.IncidentAttributeSet(name=name) if covers(fields, ATTRIBUTES + name):
            left = {"old_value": None, "value": None}
        case Incident.IncidentAttributeRemoved(name=name) if covers(fields, ATTRIBUTES + name):
            left = {"old_value": None}
        case _:
            left = {}
    return {name: value for name, value in left.items() if value != getattr(event, name)}
