"""An incident's versions as rows of a table: what each event makes of the version before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from domain.attribute_values import ATTRIBUTES
from domain.erasure import ALL
from domain.event import Recorded
from domain.incident import Incident
from domain.moments import instant, utc_text_of
from projections.database import Dialect, Json
from projections.documents import Document, erase, reported
from projections.folding import name_key
from projections.leaves import microseconds_of
from projections.words import words_of

SEARCHED = ("name", "description", "location")
_SEARCHED = frozenset(SEARCHED)
"""The members whose words are searched for."""


class Version(NamedTuple):
    """One version as it is stored. `from_position`: the event that made it.

    Times are microseconds since 1970, `date` is an instant that sorts as text, flags are 0 or 1. `name` and
    `reported_by` are keys, as `name_key` makes them; what was written stands in the document.
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


Row = Sequence[Any]
"""A version without the names of its columns: giving it those takes longer than all the rest of making one."""
_listed = itemgetter("occ_lock", "name", "status", "type", "severity", "reported_by", "next_update", "backdated")
COUNTED = frozenset(("status", "type", "severity"))
counted = itemgetter(*map(Version._fields.index, ("deleted", "tenant_id", "status", "type", "severity")))
"""Of a row: whether the incident is deleted, and what it is counted under while it is not."""


@dataclass(slots=True)
class Newest:
    """An incident as its last event left it; the next event changes it. `row` is what is stored of it."""

    document: Document
    deleted: int
    date: str
    created_at: int
    words: str
    row: Row

    @classmethod
    def stored(cls, row: Row, json: Json) -> "Newest":
        version = Version(*row)
        document = json.loads(version.document)
        return cls(document, version.deleted, version.date, version.created_at, version.words, row)

    def store(self, at: int, position: int, json: Json) -> None:
        """The row anew, of an event that was recorded then."""
        document = self.document
        occ_lock, name, status, type_, severity, reported_by, next_update, backdated = _listed(document)
        self.row = (
            document["tenant_id"], document["id"], self.deleted, occ_lock, name_key(name), status, type_, severity,
            name_key(reported_by), next_update, self.date, 1 if backdated else 0, self.created_at, at, position,
            self.words, json.dumps(document),
        )  # fmt: skip


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
        name=name_key(document["name"]), reported_by=name_key(document["reported_by"]), words=_words(document),
        document=json.dumps(document),
    )  # fmt: skip


def following(before: Newest | None, fact: Recorded, changes: Mapping[str, Any], json: Json) -> Newest | None:
    """`before` itself, changed; `changes` are the event's. None where nothing is left: all was erased, by this event or
    by a later one that took the earlier ones away.

    Raises LookupError where the event does not follow what was there.
    """
    event: Any = fact.event
    kind = type(event)
    if kind is Incident.IncidentReported:
        return _reported(event, fact, json)
    erasing = kind is Incident.IncidentErased
    if erasing and (before is None or event.fields == ALL):
        return None
    if before is None:
        raise LookupError("an event of an incident that was never reported")
    document = before.document
    if event.originator_version != document["occ_lock"] + 1 and not erasing:
        raise LookupError(f"version {event.originator_version} follows {document['occ_lock']}")
    if erasing:
        erase(document, event.fields)
    elif kind is Incident.IncidentDeleted:
        before.deleted = 1
    elif kind is Incident.IncidentRestored:
        before.deleted = 0
    else:
        _change(document, changes)
    # What is costly to find out stays as it was, unless it is made of what has changed.
    if "date" in changes:
        before.date = instant(document["date"])
    if not _SEARCHED.isdisjoint(changes):
        before.words = _words(document)
    at = microseconds_of(fact.recorded_at)
    document["updated_at"] = utc_text_of(at)
    document["updated_by"] = event.user_name
    document["occ_lock"] = event.originator_version
    before.store(at, fact.position, json)
    return before


def _reported(event: Incident.IncidentReported, fact: Recorded, json: Json) -> Newest:
    at = microseconds_of(fact.recorded_at)
    document = reported(event, utc_text_of(at))
    newest = Newest(document, 0, instant(document["date"]), at, _words(document), ())
    newest.store(at, fact.position, json)
    return newest


def _change(document: Document, changes: Mapping[str, Any]) -> None:
    attributes: dict[str, Any] | None = None
    for member, change in changes.items():
        if not member.startswith(ATTRIBUTES):
            document[member] = change["to"]
            continue
        if attributes is None:
            attributes = document["attributes"] or {}
        attributes.pop(member.removeprefix(ATTRIBUTES), None)
        if change["to"] is not None:
            attributes[member.removeprefix(ATTRIBUTES)] = change["to"]
    if attributes is not None:
        document["attributes"] = attributes or None


def _words(document: Document) -> str:
    return words_of(*(document[member] or "" for member in SEARCHED))
