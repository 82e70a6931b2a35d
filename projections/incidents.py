"""The read model of incidents: its tables, what each event does to them, its queries. Counts and searching included."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.attribute_types import comparable, moment_of
from domain.attribute_values import ATTRIBUTES
from domain.event import Recorded
from domain.incident import Incident
from domain.moments import instant, utc_text
from projections.database import Database, Dialect, Json, Rows
from projections.documents import Document, reported_document
from projections.listing import Conditions, Filter, Sort, order
from projections.words import words_of

CHUNK = 500
"""Incidents read at once when all are streamed."""

_COLUMNS = (
    "tenant_id", "id", "deleted", "occ_lock", "name", "status", "type", "severity", "reported_by", "next_update",
    "date", "backdated", "created_at", "updated_at", "words", "document",
)  # fmt: skip


@dataclass(slots=True)
class _State:
    """An incident as the batch leaves it. Times are microseconds since 1970."""

    document: Document
    deleted: bool
    created_at: int
    updated_at: int
    attributes_changed: bool = False

    @property
    def counted(self) -> tuple[str, ...]:
        document = self.document
        return document["tenant_id"], document["status"], document["type"], document["severity"]


@dataclass(frozen=True, slots=True)
class Page:
    """`total` match in all; `documents` are the `count` of this page, with commas between."""

    total: int
    count: int
    documents: bytes


class Incidents:
    def __init__(self, dialect: Dialect, json: Json, suffix: str) -> None:
        self._dialect, self._json = dialect, json
        self.table, self.attributes, self.counts = (
            f"incidents{suffix}",
            f"incident_attributes{suffix}",
            f"counts{suffix}",
        )
        marks = ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
        updates = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[2:])
        self._upsert = f"""INSERT INTO {self.table} ({", ".join(_COLUMNS)}) VALUES ({marks})
                           ON CONFLICT (tenant_id, id) DO UPDATE SET {updates}"""
        self._count = f"""INSERT INTO {self.counts} AS kept (tenant_id, status, type, severity, n)
                          VALUES ($1, $2, $3, $4, $5)
                          ON CONFLICT (tenant_id, status, type, severity) DO UPDATE SET n = kept.n + excluded.n"""
        # Nothing but the key in the condition: a plan that was made for an empty table must not choose another index.
        self._get = f"SELECT deleted, occ_lock, document FROM {self.table} WHERE tenant_id = $1 AND id = $2"
        self._load = f"""SELECT id, document, deleted, created_at, updated_at FROM {self.table}
                         WHERE tenant_id = $1 AND {dialect.among("id", 2)}"""

    def tables(self) -> list[str]:
        text, binary = self._dialect.text, self._dialect.binary
        return [
            f"""CREATE TABLE IF NOT EXISTS {self.table} (
                tenant_id {text} NOT NULL, id {text} NOT NULL, deleted smallint NOT NULL, occ_lock integer NOT NULL,
                name {text} NOT NULL, status {text} NOT NULL, type {text} NOT NULL, severity {text} NOT NULL,
                reported_by {text} NOT NULL, next_update bigint NOT NULL, date {text} NOT NULL,
                backdated smallint NOT NULL, created_at bigint NOT NULL, updated_at bigint NOT NULL,
                words {text} NOT NULL, document {binary} NOT NULL, PRIMARY KEY (tenant_id, id))""",
            f"""CREATE INDEX IF NOT EXISTS {self.table}_created ON {self.table} (tenant_id, created_at)
                WHERE deleted = 0""",
            f"""CREATE TABLE IF NOT EXISTS {self.attributes} (
                tenant_id {text} NOT NULL, incident_id {text} NOT NULL, name {text} NOT NULL, value {text} NOT NULL,
                moment {text} NOT NULL, PRIMARY KEY (tenant_id, incident_id, name))""",
            f"""CREATE TABLE IF NOT EXISTS {self.counts} (
                tenant_id {text} NOT NULL, status {text} NOT NULL, type {text} NOT NULL, severity {text} NOT NULL,
                n bigint NOT NULL, PRIMARY KEY (tenant_id, status, type, severity))""",
        ]

    # What events do

    async def apply(self, rows: Rows, batch: Sequence[Recorded]) -> None:
        facts = [fact for fact in batch if isinstance(fact.event, Incident.Event)]
        if not facts:
            return
        states = await self._states_before(rows, facts)
        deltas: Counter[tuple[str, ...]] = Counter()
        for fact in facts:
            id = fact.event.originator_id
            before = states.get(id)
            if before is not None and not before.deleted:
                deltas[before.counted] -= 1
            after = states[id] = _after(before, fact)
            if not after.deleted:
                deltas[after.counted] += 1
        await rows.many(self._upsert, [self._row(state) for state in states.values()])
        await self._keep_attributes(rows, states.values())
        changed = [(*key, n) for key, n in sorted(deltas.items()) if n]
        if changed:
            await rows.many(self._count, changed)

    async def _states_before(self, rows: Rows, facts: Sequence[Recorded]) -> dict[UUID, _State]:
        wanted: dict[str, set[str]] = {}
        born = set()
        for fact in facts:
            id = fact.event.originator_id
            if fact.event.originator_version == 0:
                born.add(id)
            elif id not in born:
                wanted.setdefault(fact.event.tenant_id, set()).add(str(id))
        states = {}
        for tenant_id, ids in wanted.items():
            for id, document, deleted, created_at, updated_at in await rows.fetch(self._load, tenant_id, sorted(ids)):
                states[UUID(id)] = _State(self._json.loads(document), bool(deleted), created_at, updated_at)
        return states

    async def _keep_attributes(self, rows: Rows, states: Iterable[_State]) -> None:
        changed = [
            (state.document["tenant_id"], state.document["id"], state) for state in states if state.attributes_changed
        ]
        if not changed:
            return
        await rows.many(
            f"DELETE FROM {self.attributes} WHERE tenant_id = $1 AND incident_id = $2",
            [(tenant_id, id) for tenant_id, id, _ in changed],
        )
        values = [
            (tenant_id, id, name, comparable(value), moment_of(value))
            for tenant_id, id, state in changed
            for name, value in (state.document["attributes"] or {}).items()
        ]
        if values:
            await rows.many(f"INSERT INTO {self.attributes} VALUES ($1, $2, $3, $4, $5)", values)

    def _row(self, state: _State) -> tuple[Any, ...]:
        document = state.document
        return (
            document["tenant_id"],
            document["id"],
            int(state.deleted),
            document["occ_lock"],
            document["name"],
            document["status"],
            document["type"],
            document["severity"],
            document["reported_by"],
            document["next_update"],
            instant(document["date"]),
            int(document["backdated"]),
            state.created_at,
            state.updated_at,
            words_of(document["name"], document["description"], document["location"]),
            self._json.dumps(document),
        )

    # Queries

    async def get(self, database: Database, tenant_id: str, id: str) -> tuple[int, bytes] | None:
        """Version and document, or None where there is no such incident."""
        found = await database.fetch(self._get, tenant_id, id)
        if not found or found[0][0]:
            return None
        _, version, document = found[0]
        return version, document

    async def page(
        self, database: Database, tenant_id: str, wanted: Filter, sort: Sequence[Sort], size: int, offset: int = 0
    ) -> Page:
        """One page, and how many match in all, of one snapshot."""
        where = self._matching(tenant_id, wanted)
        (total, count, documents), *_ = await database.fetch(
            f"""SELECT ({self._total(where, wanted)}), count(*), {self._dialect.joined}
                FROM ({self._rows(where, sort)} LIMIT {size:d} OFFSET {offset:d}) AS page""",
            *where.args,
        )
        return Page(total, count, documents or b"")

    async def page_beyond(
        self,
        database: Database,
        tenant_id: str,
        wanted: Filter,
        sort: Sequence[Sort],
        size: int,
        keys: Sequence[Any] | None,
    ) -> tuple[Page, list[Any] | None]:
        """The page after the row with these sort keys, the id last; and the keys to go on from, None at the end."""
        where = self._matching(tenant_id, wanted)
        total = self._total(where, wanted)
        if keys is not None:
            where.beyond(sort, keys)
        again = [Sort(f"page.{by.column}", by.direction) for by in (*sort, Sort("id", "asc"))]
        rows = await database.fetch(
            f"""SELECT counted.total, page.document, {", ".join(by.column for by in again)} FROM ({total}) AS counted
                LEFT JOIN ({self._rows(where, sort)} LIMIT {size + 1:d}) AS page ON true
                ORDER BY {", ".join(f"{by.column} {by.direction}" for by in again)}""",
            *where.args,
        )
        shown = [row for row in rows[:size] if row[1] is not None]
        page = Page(rows[0][0], len(shown), b",".join(row[1] for row in shown))
        return page, list(shown[-1])[2:] if len(rows) > size else None

    async def every(
        self, database: Database, tenant_id: str, wanted: Filter, sort: Sequence[Sort]
    ) -> AsyncIterator[list[bytes]]:
        """All documents that match, by chunks; no connection is held between two of them."""
        beyond: Sequence[Any] | None = None
        while True:
            where = self._matching(tenant_id, wanted)
            if beyond is not None:
                where.beyond(sort, beyond)
            rows = await database.fetch(f"{self._rows(where, sort)} LIMIT {CHUNK}", *where.args)
            if rows:
                yield [document for document, *_ in rows]
            if len(rows) < CHUNK:
                return
            beyond = list(rows[-1])[1:]

    async def tally(self, database: Database, tenant_id: str) -> list[tuple[str, str, str, int]]:
        """How many incidents have each combination of status, type and severity."""
        rows = await database.fetch(
            f"SELECT status, type, severity, n FROM {self.counts} WHERE tenant_id = $1 AND n > 0", tenant_id
        )
        return [(status, type_, severity, n) for status, type_, severity, n in rows]

    def _matching(self, tenant_id: str, wanted: Filter) -> Conditions:
        where = Conditions(self._dialect, tenant_id)
        where.narrow(wanted, self.attributes)
        where.add("deleted = 0")
        return where

    def _rows(self, where: Conditions, sort: Sequence[Sort]) -> str:
        columns = ", ".join(by.column for by in (*sort, Sort("id", "asc")))
        return f"SELECT document, {columns} FROM {self.table} WHERE {where} ORDER BY {order(sort)}"

    def _total(self, where: Conditions, wanted: Filter) -> str:
        if not wanted.counted:
            return f"SELECT count(*) AS total FROM {self.table} WHERE {where}"
        counted = str(where).removesuffix(" AND deleted = 0")
        return f"SELECT CAST(coalesce(sum(n), 0) AS bigint) AS total FROM {self.counts} WHERE {counted}"


def _after(before: _State | None, fact: Recorded) -> _State:
    event = fact.event
    at = microseconds(fact)
    if isinstance(event, Incident.IncidentReported):
        return _State(reported_document(fact), False, at, at, attributes_changed=bool(event.attributes))
    if before is None:
        raise LookupError("an event of an incident that was never reported")
    document = before.document
    if event.originator_version != document["occ_lock"] + 1:
        raise LookupError(f"version {event.originator_version} follows {document['occ_lock']}")
    attributes = document["attributes"] or {}
    changed = before.attributes_changed
    for member, change in event.changes().items():
        if not member.startswith(ATTRIBUTES):
            document[member] = change["to"]
            continue
        changed = True
        attributes.pop(member.removeprefix(ATTRIBUTES), None)
        if change["to"] is not None:
            attributes[member.removeprefix(ATTRIBUTES)] = change["to"]
    document["attributes"] = attributes or None
    document["updated_at"] = utc_text(fact.recorded_at)
    document["updated_by"] = event.user_name
    document["occ_lock"] = event.originator_version
    deleted = isinstance(event, Incident.IncidentDeleted) or (
        before.deleted and not isinstance(event, Incident.IncidentRestored)
    )
    return _State(document, deleted, before.created_at, at, changed)


def microseconds(fact: Recorded) -> int:
    at = fact.recorded_at
    return int(at.timestamp()) * 1_000_000 + at.microsecond
