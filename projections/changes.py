"""What happened, as the history of an incident tells it: who changed what, when, from what to what."""

from typing import Any, Final
from uuid import UUID

from domain.attribute_values import ATTRIBUTES
from domain.edits import edits_between
from domain.erasure import Erasing
from domain.event import ActEvent, Json
from domain.incident import Incident
from domain.rules import DETAILS
from projections.documents import Document
from projections.states import KINDS, UNKNOWN

_OF_COMMENTS: Final = "ims.comment."


def change_document(position: int, id: UUID, version: int, topic: str, at: str, event: Any) -> Document:
    """One change. `what` is the type under which it is published; comments are named by `comment_id`.

    `at` is when it was recorded, as clients see it. The event is None where its content was erased; its ids and times
    are not looked at.
    """
    what = KINDS[topic][0] if topic in KINDS else UNKNOWN
    about = {"comment_id": str(id)} if what.startswith(_OF_COMMENTS) else {}
    if event is None:
        return {"position": position, "occ_lock": version, "at": at, "what": what, "erased": True, **about}
    document = {
        "position": position,
        "occ_lock": version,
        "at": at,
        "by": event.user_name,
        "user_id": event.user_id,
        "what": what,
        "changes": changes_of(event),
        **about,
    }
    if event.erased:
        document["erased"] = event.erased
    if isinstance(event, Erasing):
        document |= {"fields": event.fields, "reason": event.reason}
    if isinstance(event, Incident.IncidentReverted):
        document["to_version"] = event.to_version
    return document


def unreadable_change(position: int, id: UUID, version: int, topic: str, at: str) -> Document:
    """One that is damaged, or that a newer release wrote: that it is there. `what` is `ims.unknown` where not even its
    topic can be told."""
    what = KINDS[topic][0] if topic in KINDS else UNKNOWN
    about = {"comment_id": str(id)} if what.startswith(_OF_COMMENTS) else {}
    return {"position": position, "occ_lock": version, "at": at, "what": what, "unreadable": True, **about}


def changes_of(event: ActEvent) -> dict[str, Json]:
    """Also of a report, which changes nothing: each member from null to what it was reported with."""
    if not isinstance(event, Incident.IncidentReported):
        return event.changes()
    told = {**event.details, **{ATTRIBUTES + name: value for name, value in event.attributes.items()}}
    return {member: {"from": None, "to": value} for member, value in told.items() if value is not None}


def differences(before: Document, after: Document) -> dict[str, Json]:
    """What differs between two versions of an incident, by member, attributes as `attributes.<name>`."""
    old, new = ({member: document[member] for member in DETAILS} for document in (before, after))
    return edits_between(old, before["attributes"] or {}, new, after["attributes"] or {})
