"""Named examples: a tenant's people, codes, attributes and incidents, and the events that they leave behind."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from domain.attribute_schema import AttributeSchema, schema_id
from domain.attribute_types import AttributeType
from domain.codes import Codes
from domain.comment import Comment
from domain.event import Act, ActEvent
from domain.incident import Incident

Event = TypeVar("Event", bound=ActEvent)

TENANT = "acme"
REASON = "Article 17, request 2025-17"
NOON = datetime(2025, 1, 22, 12, 0, 0, 251946, tzinfo=UTC)
INCIDENT_ID = UUID("e322ab0e-07b3-49bd-b904-7014512032e3")
COMMENT_ID = UUID("031312c3-8288-4266-bccb-72e4949118aa")
SCHEMA_ID = schema_id(TENANT)

CODES = Codes(
    status=("NEW", "OPEN", "INVESTIGATING", "RESOLVED", "CLOSED"),
    type=("OTHERS", "SYSTEM_FAILURE", "SECURITY", "PERFORMANCE", "MAINTENANCE"),
    severity=("", "LOW", "MEDIUM", "MAJOR", "HIGH", "CRITICAL"),
)
FEWER_CODES = Codes(status=("OPEN",), type=("SECURITY",), severity=("HIGH",))

DEFAULTS = {"workflowId": AttributeType.STRING, "count": AttributeType.NUMBER}
DEFINITIONS = {
    "workflowId": AttributeType.STRING,
    "count": AttributeType.NUMBER,
    "people": AttributeType.INT,
    "public": AttributeType.BOOLEAN,
    "seen": AttributeType.DATETIME,
}

BREACH: dict[str, Any] = {
    "name": "Another Security Breach",
    "status": "NEW",
    "type": "OTHERS",
    "date": "2024-11-11T10:57:27+08:00",
    "description": "Unauthorized access to sensitive customer data through a phishing email.",
    "reported_by": "John Doe",
    "location": "",
    "severity": "",
    "next_update": 0,
    "resolved_date": None,
    "backdated": False,
}
REQUIRED = {member: BREACH[member] for member in ("name", "status", "type", "date", "description", "reported_by")}
OUTAGE: dict[str, Any] = {
    "name": "Server Outage in Data Center A",
    "status": "OPEN",
    "type": "SYSTEM_FAILURE",
    "date": "2024-11-22T15:30:00+08:00",
    "description": "Multiple servers in Data Center A experienced a sudden loss of power.",
    "reported_by": "System Monitor",
    "location": "Data Center A",
    "severity": "MAJOR",
    "next_update": 1674521800,
    "resolved_date": None,
    "backdated": False,
}


def act(user: str, at: datetime = NOON) -> Act:
    return Act(
        tenant_id=TENANT,
        user_id=f"id-of-{user.lower()}",
        user_name=user,
        command_id=UUID("6f7d4c1e-1a83-4b57-9a4e-0b7b3f2f9a10"),
        trace_id="0af7651916cd43dd8448eb211c80319c",
        at=at,
        request_digest="",
    )


ANN = act("Ann")
BOB = act("Bob", NOON + timedelta(minutes=5))


def event(kind: type[Event], id: UUID, version: int, by: Act, **fields: Any) -> Event:
    return kind(originator_id=id, originator_version=version, **fields, **by.facts())


def reported(attributes: dict[str, Any] | None = None, by: Act = ANN, **details: Any) -> Incident.IncidentReported:
    fields = {"details": {**BREACH, **details}, "attributes": attributes or {}, "originator_topic": "Incident"}
    return event(Incident.IncidentReported, INCIDENT_ID, 0, by, **fields)


def edited(version: int, by: Act = BOB, **edits: tuple[Any, Any]) -> Incident.IncidentEdited:
    """Each edit is `member=(old, new)`; an attribute is written `attributes__name`."""
    changes = {member.replace("__", "."): {"from": old, "to": new} for member, (old, new) in edits.items()}
    return event(Incident.IncidentEdited, INCIDENT_ID, version, by, edits=changes)


def reverted(version: int, to_version: int, by: Act = BOB, **edits: tuple[Any, Any]) -> Incident.IncidentReverted:
    """Edits as `edited` takes them."""
    changes = edited(version, by, **edits).edits
    return event(Incident.IncidentReverted, INCIDENT_ID, version, by, edits=changes, to_version=to_version)


def attribute_set(version: int, name: str, old: Any, value: Any, by: Act = BOB) -> Incident.IncidentAttributeSet:
    return event(Incident.IncidentAttributeSet, INCIDENT_ID, version, by, name=name, old_value=old, value=value)


def attribute_removed(version: int, name: str, old: Any, by: Act = BOB) -> Incident.IncidentAttributeRemoved:
    return event(Incident.IncidentAttributeRemoved, INCIDENT_ID, version, by, name=name, old_value=old)


def deleted(version: int, by: Act = BOB) -> Incident.IncidentDeleted:
    return event(Incident.IncidentDeleted, INCIDENT_ID, version, by)


def restored(version: int, by: Act = BOB) -> Incident.IncidentRestored:
    return event(Incident.IncidentRestored, INCIDENT_ID, version, by)


def erased(
    version: int, fields: Any = "all", redacted: dict[str, str] | None = None, by: Act = BOB
) -> Incident.IncidentErased:
    told = {"fields": fields, "reason": REASON, "redacted": redacted or {}}
    return event(Incident.IncidentErased, INCIDENT_ID, version, by, **told)


def added(text: str = "Looking into it.", by: Act = ANN) -> Comment.CommentAdded:
    fields = {"incident_id": INCIDENT_ID, "text": text, "originator_topic": "Comment"}
    return event(Comment.CommentAdded, COMMENT_ID, 0, by, **fields)


def comment_edited(version: int, old: str, text: str, by: Act = ANN) -> Comment.CommentEdited:
    fields = {"incident_id": INCIDENT_ID, "old_text": old, "text": text}
    return event(Comment.CommentEdited, COMMENT_ID, version, by, **fields)


def comment_removed(version: int, old: str, by: Act = ANN) -> Comment.CommentRemoved:
    return event(Comment.CommentRemoved, COMMENT_ID, version, by, incident_id=INCIDENT_ID, old_text=old)


def comment_erased(
    version: int, redacted: dict[str, str] | None = None, fields: Any = "all", by: Act = BOB
) -> Comment.CommentErased:
    told = {"incident_id": INCIDENT_ID, "fields": fields, "reason": REASON, "redacted": redacted or {}}
    return event(Comment.CommentErased, COMMENT_ID, version, by, **told)


def defined(version: int, name: str, kind: str, by: Act = ANN) -> AttributeSchema.AttributeDefined:
    return event(AttributeSchema.AttributeDefined, SCHEMA_ID, version, by, name=name, type=kind)


def retired(version: int, name: str, kind: str, by: Act = ANN) -> AttributeSchema.AttributeRetired:
    return event(AttributeSchema.AttributeRetired, SCHEMA_ID, version, by, name=name, type=kind)


ONE_OF_EACH: tuple[ActEvent, ...] = (
    reported({"count": 5}),
    edited(1, name=("Another Security Breach", "Breach"), attributes__count=(5, None)),
    attribute_set(2, "workflowId", None, "w-1"),
    attribute_removed(3, "workflowId", "w-1"),
    deleted(4),
    restored(5),
    erased(6, ["description"], {"1": 64 * "a"}),
    added(),
    comment_edited(1, "Looking into it.", "Found it."),
    comment_removed(2, "Found it."),
    comment_erased(3, {"8": "", "9": "", "10": ""}),
    defined(0, "people", "INT"),
    retired(1, "people", "INT"),
    reverted(7, 0, name=("Breach", "Another Security Breach"), attributes__count=(None, 5)),
)
