"""How incidents and comments look to clients: the members, their order, their forms."""

from typing import Any

from domain.comment import Comment
from domain.incident import Incident
from domain.moments import utc_text

Document = dict[str, Any]


def incident_document(incident: Incident) -> Document:
    """The incident as of its newest recorded event."""
    details = incident.details
    created_at = utc_text(incident.created_at)
    return {
        "id": str(incident.id),
        "name": details["name"],
        "status": details["status"],
        "type": details["type"],
        "date": details["date"],
        "description": details["description"],
        "reported_by": details["reported_by"],
        "attributes": dict(incident.attributes) or None,
        "location": details["location"],
        "severity": details["severity"],
        "next_update": details["next_update"],
        "resolved_date": details["resolved_date"],
        "backdated": details["backdated"],
        "created_at": created_at,
        "created_by": incident.created_by,
        "updated_at": utc_text(incident.updated_at) if incident.version else created_at,
        "updated_by": incident.updated_by,
        "tenant_id": incident.tenant_id,
        "occ_lock": incident.version,
    }


def comment_document(comment: Comment) -> Document:
    """`created_by` and `updated_by` are user ids here, `name` is the author's display name."""
    return {
        "id": str(comment.id),
        "incident_id": str(comment.incident_id),
        "user_id": comment.author_id,
        "name": comment.author_name,
        "text": comment.text,
        "created_at": utc_text(comment.created_at),
        "created_by": comment.author_id,
        "updated_at": utc_text(comment.updated_at),
        "updated_by": comment.updated_by,
        "occ_lock": comment.version,
        "tenant_id": comment.tenant_id,
    }
