"""How incidents and comments look to clients: the members, their order, their forms."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from domain.attribute_values import ATTRIBUTES
from domain.comment import Comment
from domain.erasure import OF_INCIDENT, covers
from domain.incident import Incident
from domain.moments import utc_text

Document = dict[str, Any]


def incident_document(incident: Incident) -> Document:
    """The incident as of its newest recorded event."""
    created_at = utc_text(incident.created_at)
    document = newly_reported(
        incident.id, incident.details, incident.attributes, created_at, incident.created_by, incident.tenant_id
    )
    if incident.version:
        document["updated_at"] = utc_text(incident.updated_at)
        document["updated_by"] = incident.updated_by
        document["occ_lock"] = incident.version
    return document


def reported(event: Incident.IncidentReported, at: str) -> Document:
    """The incident as its first event left it, `at` the time that it was recorded: the same as of the aggregate,
    without making one."""
    return newly_reported(event.originator_id, event.details, event.attributes, at, event.user_name, event.tenant_id)


def newly_reported(
    id: UUID | str, details: Document, attributes: Document, created_at: str, created_by: str, tenant_id: str
) -> Document:
    """Version 0 of an incident."""
    return {
        "id": str(id),
        "name": details["name"],
        "status": details["status"],
        "type": details["type"],
        "date": details["date"],
        "description": details["description"],
        "reported_by": details["reported_by"],
        "attributes": dict(attributes) or None,
        "location": details["location"],
        "severity": details["severity"],
        "next_update": details["next_update"],
        "resolved_date": details["resolved_date"],
        "backdated": details["backdated"],
        "created_at": created_at,
        "created_by": created_by,
        "updated_at": created_at,
        "updated_by": created_by,
        "tenant_id": tenant_id,
        "occ_lock": 0,
    }


def erase(document: Document, fields: Sequence[str]) -> None:
    """Null in place of these members of an incident's document."""
    for member in OF_INCIDENT:
        if member in fields:
            document[member] = None
    attributes = document["attributes"] or {}
    left = {name: value for name, value in attributes.items() if not covers(fields, ATTRIBUTES + name)}
    document["attributes"] = left or None


def comment_document(comment: Comment) -> Document:
    """The comment as of its newest recorded event."""
    document = newly_added(
        comment.id, comment.incident_id, comment.author_id, comment.author_name, comment.text,
        utc_text(comment.created_at), comment.tenant_id,
    )  # fmt: skip
    document["updated_at"] = utc_text(comment.updated_at)
    document["updated_by"] = comment.updated_by
    document["occ_lock"] = comment.version
    return document


def newly_added(
    id: UUID | str, incident_id: UUID | str, author_id: str, author_name: str, text: str, at: str, tenant_id: str
) -> Document:
    """Version 0 of a comment. `created_by` and `updated_by` are user ids here, `name` is the author's display name."""
    return {
        "id": str(id),
        "incident_id": str(incident_id),
        "user_id": author_id,
        "name": author_name,
        "text": text,
        "created_at": at,
        "created_by": author_id,
        "updated_at": at,
        "updated_by": author_id,
        "occ_lock": 0,
        "tenant_id": tenant_id,
    }
