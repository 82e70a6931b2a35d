"""What events leave behind, kept as the documents that clients know, so that one more event costs a few assignments.

The aggregates say the same (`documents.py`), and a test holds the two together; folding those costs several times more.
"""

from collections.abc import Callable
from typing import Any, Final

from domain.attribute_schema import AttributeSchema
from domain.attribute_values import ATTRIBUTES
from domain.comment import Comment
from domain.erasure import ALL
from domain.event import ActEvent
from domain.incident import Incident
from projections.documents import Document, erase, newly_added, reported

Apply = Callable[[Document | None, Any, str], Document | None]
"""The document before (None at birth), the event, when it was recorded → the document after, which may be the same.

None where nothing is left of it.
"""


def _reported(_: Document | None, event: Incident.IncidentReported, at: str) -> Document:
    document = reported(event, at)
    document["deleted"] = False
    return document


def _edited(document: Document | None, event: Incident.Event, at: str) -> Document:
    incident = _there(document)
    attributes = None
    for member, change in event.changes().items():
        if not member.startswith(ATTRIBUTES):
            incident[member] = change["to"]
            continue
        if attributes is None:
            attributes = incident["attributes"] or {}
        name = member.removeprefix(ATTRIBUTES)
        if change["to"] is None:
            attributes.pop(name, None)
        else:
            attributes[name] = change["to"]
    if attributes is not None:
        incident["attributes"] = attributes or None
    incident["updated_by"] = event.user_name
    return _touched(incident, event, at)


def _deleted(document: Document | None, event: Incident.Event, at: str) -> Document:
    incident = _edited(document, event, at)
    incident["deleted"] = isinstance(event, Incident.IncidentDeleted)
    return incident


def _erased(document: Document | None, event: Incident.IncidentErased, at: str) -> Document | None:
    if event.fields == ALL:
        return None
    incident = _there(document)
    erase(incident, event.fields)
    incident["updated_by"] = event.user_name
    return _touched(incident, event, at)


def _added(_: Document | None, event: Comment.CommentAdded, at: str) -> Document:
    document = newly_added(
        event.originator_id, event.incident_id, event.user_id, event.user_name, event.text, at, event.tenant_id
    )
    return {**document, "removed": False}


def _reworded(document: Document | None, event: Comment.CommentEdited, at: str) -> Document:
    comment = _there(document)
    comment["text"] = event.text
    comment["updated_by"] = event.user_id
    return _touched(comment, event, at)


def _removed(document: Document | None, event: Comment.CommentRemoved, at: str) -> Document:
    comment = _there(document)
    comment["removed"] = True
    comment["updated_by"] = event.user_id
    return _touched(comment, event, at)


def _gone(_: Document | None, _event: Comment.CommentErased, _at: str) -> None:
    return None


def _defined(document: Document | None, event: AttributeSchema.Event, at: str) -> Document:
    schema = document or {"id": str(event.originator_id), "attributes": {}, "tenant_id": event.tenant_id}
    retired = isinstance(event, AttributeSchema.AttributeRetired)
    schema["attributes"][event.name] = {"type": event.type, "retired": retired}
    return _touched(schema, event, at)


def _touched(document: Document, event: ActEvent, at: str) -> Document:
    document["updated_at"] = at
    document["occ_lock"] = event.originator_version
    return document


def _there(document: Document | None) -> Document:
    if document is None:
        raise LookupError("an event of something that was never born")
    return document


KINDS: Final[dict[str, tuple[str, Apply]]] = {
    "IncidentReported": ("ims.incident.reported", _reported),
    "IncidentEdited": ("ims.incident.edited", _edited),
    "IncidentReverted": ("ims.incident.reverted", _edited),
    "IncidentAttributeSet": ("ims.incident.attribute_set", _edited),
    "IncidentAttributeRemoved": ("ims.incident.attribute_removed", _edited),
    "IncidentDeleted": ("ims.incident.deleted", _deleted),
    "IncidentRestored": ("ims.incident.restored", _deleted),
    "IncidentErased": ("ims.incident.erased", _erased),
    "CommentAdded": ("ims.comment.added", _added),
    "CommentEdited": ("ims.comment.edited", _reworded),
    "CommentRemoved": ("ims.comment.removed", _removed),
    "CommentErased": ("ims.comment.erased", _gone),
    "AttributeDefined": ("ims.attribute.defined", _defined),
    "AttributeRetired": ("ims.attribute.retired", _defined),
}
"""Each event of the log by its topic: the type under which it is published, and what it does to the state."""

UNKNOWN: Final = "ims.unknown"
"""The type of what stands in the log under a topic that no event has."""
TOPICS: Final = {type: topic for topic, (type, _) in KINDS.items()}
"""The log's topic of each published type."""
