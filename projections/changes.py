"""What happened, as the history of an incident tells it: who changed what, when, from what to what."""

from typing import Any

from domain.attribute_values import ATTRIBUTES
from domain.comment import Comment
from domain.edits import edits_between
from domain.erased import Erased
from domain.erasure import Erasing
from domain.event import ActEvent, Json, Recorded
from domain.incident import Incident
from domain.moments import utc_text
from domain.rules import DETAILS
from projections.documents import Document
from projections.states import KINDS


def change_document(fact: Recorded | Erased) -> Document:
    """One change. `what` is the type under which it is published; comments are named by `comment_id`.

    Of the event's ids and times only `originator_id` is looked at.
    """
    at = utc_text(fact.recorded_at)
    if isinstance(fact, Erased):
        place = {"position": fact.position, "occ_lock": fact.originator_version, "at": at}
        return {**place, "what": KINDS[fact.topic][0], "erased": True}
    event: Any = fact.event
    document = {
        "position": fact.position,
        "occ_lock": event.originator_version,
        "at": at,
        "by": event.user_name,
        "user_id": event.user_id,
        "what": KINDS[event.TOPIC][0],
        "changes": changes_of(event),
    }
    if event.erased:
        document["erased"] = event.erased
    if isinstance(event, Erasing):
        document |= {"fields": event.fields, "reason": event.reason}
    if isinstance(event, Comment.Event):
        document["comment_id"] = str(event.originator_id)
    if isinstance(event, Incident.IncidentReverted):
        document["to_version"] = event.to_version
    return document


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
