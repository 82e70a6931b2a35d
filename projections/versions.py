"""An incident's versions as rows of a table: what each event makes of the version before it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from domain.attribute_values import ATTRIBUTES
from domain.erasure import ALL
from domain.event import ActEvent, Recorded
from domain.incident import Incident
from domain.moments import instant, utc_text
from projections.database import Dialect, Json
from projections.documents import Document, erase, reported_document
from projections.words import words_of

SEARCHED = ("name", "description", "location")
_SEARCHED = frozenset(SEARCHED)
"""The members whose words are searched for."""


class Version(NamedTuple):
    """One version as it is stored. `from_position`: the event that made it.

    Times are microseconds since 1970, `date` is an instant that sorts as text, flags are 0 or 1.
    """

    tenant_id: str
    id: str
    deleted: int
    occ_lock: int
    name: str
    status: str
    type: str
    severity: str
    reported_by: str
    next_update: int
    date: str
    backdated: int
    created_at: int
    updated_at: int
    from_position: int
    words: str
    document: bytes

    @property
    def counted(self) -> tuple[str, str, str, str]:
        return self.tenant_id, self.status, self.type, self.severity


COLUMNS = ", ".join(Version._fields)
WRITTEN = ("name", "reported_by", "words", "document")
"""The columns that hold what somebody wrote."""


def columns(dialect: Dialect) -> str:
    """As a table of versions is made with."""
    text, binary = dialect.text, dialect.binary
    return f"""tenant_id {text} NOT NULL, id {text} NOT NULL, deleted smallint NOT NULL, occ_lock integer NOT NULL,
               name {text} NOT NULL, status {text} NOT NULL, type {text} NOT NULL, severity {text} NOT NULL,
               reported_by {text} NOT NULL, next_update bigint NOT NULL, date {text} NOT NULL,
               backdated smallint NOT NULL, created_at bigint NOT NULL, updated_at bigint NOT NULL,
               from_position bigint NOT NULL, words {text} NOT NULL, document {binary} NOT NULL"""


@dataclass(slots=True)
class Newest:
    """An incident as its last event left it; the next event changes the document, never the version."""

    version: Version
    document: Document


def rewriting(table: str, column: str) -> str:
    """The statement that takes what `written` gives, and the value by which the version is found in that column."""
    updated = ", ".join(f"{name} = ${place}" for place, name in enumerate(WRITTEN, 3))
    return f"UPDATE {table} SET {updated} WHERE tenant_id = $1 AND id = $2 AND {column} = ${len(WRITTEN) + 3}"


def written(version: Version) -> tuple[str, str, str, str, str, bytes]:
    return version.tenant_id, version.id, version.name, version.reported_by, version.words, version.document


def without(version: Version, fields: Sequence[str], json: Json) -> Version:
    """The version as it would have been if nobody had written these members."""
    document = json.loads(version.document)
    erase(document, fields)
    return version._replace(
        name=document["name"] or "", reported_by=document["reported_by"] or "", words=_words(document),
        document=json.dumps(document),
    )  # fmt: skip


def following(before: Newest | None, fact: Recorded, json: Json) -> Newest | None:
    """None where nothing is left: all was erased, by this event or by a later one that took the earlier ones away.

    Raises LookupError where the event does not follow what was there.
    """
    event: Any = fact.event
    erasing = isinstance(event, Incident.IncidentErased)
    if erasing and (before is None or event.fields == ALL):
        return None
    if isinstance(event, Incident.IncidentReported):
        document = reported_document(fact)
        return Newest(_version(document, fact, json, None, document), document)
    if before is None:
        raise LookupError("an event of an incident that was never reported")
    document = before.document
    if event.originator_version != document["occ_lock"] + 1 and not erasing:
        raise LookupError(f"version {event.originator_version} follows {document['occ_lock']}")
    changes = event.changes()
    if erasing:
        erase(document, event.fields)
    else:
        _change(document, changes)
    document["updated_at"] = utc_text(fact.recorded_at)
    document["updated_by"] = event.user_name
    document["occ_lock"] = event.originator_version
    return Newest(_version(document, fact, json, before.version, changes), document)


def _change(document: Document, changes: dict[str, Any]) -> None:
    attributes = document["attributes"] or {}
    for member, change in changes.items():
        if not member.startswith(ATTRIBUTES):
            document[member] = change["to"]
            continue
        attributes.pop(member.removeprefix(ATTRIBUTES), None)
        if change["to"] is not None:
            attributes[member.removeprefix(ATTRIBUTES)] = change["to"]
    document["attributes"] = attributes or None


def _version(document: Document, fact: Recorded, json: Json, before: Version | None, changed: Iterable[str]) -> Version:
    """What is costly to find out is taken from the version before, unless it was made of what has changed."""
    at = microseconds(fact.recorded_at)
    return Version(
        document["tenant_id"],
        document["id"],
        _deleted(fact.event, before),
        document["occ_lock"],
        document["name"] or "",
        document["status"],
        document["type"],
        document["severity"],
        document["reported_by"] or "",
        document["next_update"],
        instant(document["date"]) if before is None or "date" in changed else before.date,
        int(document["backdated"]),
        at if before is None else before.created_at,
        at,
        fact.position,
        _words(document) if before is None or not _SEARCHED.isdisjoint(changed) else before.words,
        json.dumps(document),
    )


def _deleted(event: ActEvent, before: Version | None) -> int:
    if isinstance(event, Incident.IncidentDeleted):
        return 1
    return 0 if before is None or isinstance(event, Incident.IncidentRestored) else before.deleted


def _words(document: Document) -> str:
    return words_of(*(document[member] or "" for member in SEARCHED))


def microseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond
