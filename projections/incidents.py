"""The read model of incidents: its tables, what each event does to them, its queries. Counts, attributes and the past
included, each in a file of its own where it is more than a few lines."""

from collections.abc import Sequence
from typing import Any

from domain.erasure import ALL
from domain.incident import Incident
from projections.comparison import Compared
from projections.database import Database, Dialect, Json, Reader, Rows
from projections.incident_attributes import IncidentAttributes
from projections.incident_changes import WRITTEN_BYTES, IncidentChanges, IncidentFold
from projections.listing import COUNTED
from projections.pages import Pages, Source
from projections.past import Past
from projections.remembered import Remembered
from projections.versions import COLUMNS, WRITTEN, Version, columns, counted, rewriting, without, written


class Incidents:
    """`current` lists them as they are. A deleted one stays in the table, hidden."""

    def __init__(self, dialect: Dialect, json: Json, suffix: str, remembered: Remembered | None = None) -> None:
        self._dialect, self._json, self._remembered = dialect, json, remembered
        self.table, self.counts = f"incidents{suffix}", f"counts{suffix}"
        self.attributes = IncidentAttributes(dialect, suffix)
        self.past = Past(dialect, suffix, self.table, self.attributes)
        self.current = Pages(dialect, Source(self.table, self.attributes.table, self.counts))
        marks = ", ".join(f"${n}" for n in range(1, len(Version._fields) + 1))
        updates = ", ".join(f"{column} = excluded.{column}" for column in Version._fields[2:])
        self._upsert = f"""INSERT INTO {self.table} ({COLUMNS}) VALUES ({marks})
                           ON CONFLICT (tenant_id, id) DO UPDATE SET {updates}"""
        self._rewrite = rewriting(self.table, "from_position")
        self._count = f"""INSERT INTO {self.counts} AS kept (tenant_id, status, type, severity, n)
                          VALUES ($1, $2, $3, $4, $5)
                          ON CONFLICT (tenant_id, status, type, severity) DO UPDATE SET n = kept.n + excluded.n"""
        self._remove = f"DELETE FROM {self.table} WHERE tenant_id = $1 AND id = $2"
        # Nothing but the key in the condition: a plan that was made for an empty table must not choose another index.
        self._get = f"SELECT deleted, occ_lock, document FROM {self.table} WHERE tenant_id = $1 AND id = $2"
        self._standing = f"SELECT id, deleted FROM {self.table} WHERE tenant_id = $1 AND {dialect.among('id', 2)}"
        self._load = f"SELECT {COLUMNS} FROM {self.table} WHERE tenant_id = $1 AND {dialect.among('id', 2)}"
        self._measure = (
            f"SELECT id, length(document) FROM {self.table} WHERE tenant_id = $1 AND {dialect.among('id', 2)}"
        )

    def tables(self) -> list[str]:
        text = self._dialect.text
        return [
            f"CREATE TABLE IF NOT EXISTS {self.table} ({columns(self._dialect)}, PRIMARY KEY (tenant_id, id))",
            f"""CREATE TABLE IF NOT EXISTS {self.counts} (
                tenant_id {text} NOT NULL, status {text} NOT NULL, type {text} NOT NULL, severity {text} NOT NULL,
                n bigint NOT NULL, PRIMARY KEY (tenant_id, status, type, severity))""",
            *self._dialect.unsampled(self.table, *WRITTEN),
            *self.attributes.tables(),
            *self.past.tables(),
        ]

    def indexes(self) -> list[str]:
        return [
            f"""CREATE INDEX IF NOT EXISTS {self.table}_created ON {self.table} (tenant_id, created_at)
                WHERE deleted = 0""",
            # For whole lists of the past, which have those that were deleted since.
            f"""CREATE INDEX IF NOT EXISTS {self.table}_deleted ON {self.table} (tenant_id, created_at)
                WHERE deleted = 1""",
            # For lists of one status and severity, of which there may be few among many; in order within these.
            f"""CREATE INDEX IF NOT EXISTS {self.table}_standing
                ON {self.table} (tenant_id, status, severity, created_at) WHERE deleted = 0""",
            *self.attributes.indexes(),
            *self.past.indexes(),
        ]

    def compared(self) -> list[Compared]:
        return [
            Compared(self.table, ("tenant_id", "id")),
            # What came back to nothing has a row, unless the events that it is told by were erased since.
            Compared(self.counts, ("tenant_id", "status", "type", "severity"), "n <> 0"),
            *self.attributes.compared(),
            *self.past.compared(),
        ]

    # What events do

    def fold(self, max_bytes: int = WRITTEN_BYTES) -> IncidentFold:
        return IncidentFold(self._json, self._remembered, max_bytes)

    async def stored(self, reader: Reader, tenant_id: str, ids: Sequence[str]) -> Sequence[Sequence[Any]]:
        """Rows of incidents as they are, columns as `Version` has them."""
        return await reader.fetch(self._load, tenant_id, ids)

    async def sizes(self, reader: Reader, tenant_id: str, ids: Sequence[str]) -> Sequence[tuple[str, int]]:
        """Bytes of the documents of incidents as they are, each after its id."""
        return [(id, size) for id, size in await reader.fetch(self._measure, tenant_id, ids)]

    async def write(self, rows: Rows, changes: IncidentChanges, past_erased: int = 0) -> None:
        """`past_erased`: the position up to which nothing is left in the past of what these changes erase."""
        await rows.insert(self.table, changes.born)
        if changes.changed:
            await rows.many(self._upsert, changes.changed)
        await self.past.keep(rows, changes.superseded)
        await self.attributes.write(rows, changes.attributes, {row[1] for row in changes.born})
        for event, position in changes.erasing:
            await self.past.erase(rows, event, position, self._json, past_erased)
            await self.attributes.erase(rows, event, position)
        if changes.gone:
            await rows.many(self._remove, changes.gone)
        if changes.counts:
            await rows.many(self._count, changes.counts)

    async def erase(self, rows: Rows, event: Incident.IncidentErased, position: int, past_erased: int = 0) -> None:
        """In tables that are only kept, or that another follower fills, which meets the event in its turn.

        Where it has met it already there is nothing to do; a version that changes meanwhile is left to whoever does it.
        """
        tenant_id, id = event.tenant_id, str(event.originator_id)
        for version in [Version(*row) for row in await rows.fetch(self._load, tenant_id, [id])]:
            if version.from_position >= position:
                return
            await self.past.erase(rows, event, position, self._json, past_erased)
            await self.attributes.erase(rows, event, position)
            if event.fields != ALL:
                left = without(version, event.fields, self._json)
                await rows.execute(self._rewrite, *written(left), version.from_position)
                return
            await rows.execute(self._remove, tenant_id, id)
            if not version.deleted:
                await rows.many(self._count, [(*counted(version)[1:], -1)])

    # Queries

    async def get(self, database: Database, tenant_id: str, id: str) -> tuple[int, bytes] | None:
        """Version and document, or None where there is no such incident."""
        found = await database.fetch(self._get, tenant_id, id)
        if not found or found[0][0]:
            return None
        _, version, document = found[0]
        return version, document

    async def known(self, database: Database, tenant_id: str, id: str) -> bool:
        """Whether there is such an incident, deleted or not."""
        return bool(await database.fetch(self._get, tenant_id, id))

    async def standing(self, database: Database, tenant_id: str, ids: Sequence[str]) -> set[str]:
        """Those of these incidents that are there, not deleted."""
        rows = await database.fetch(self._standing, tenant_id, ids)
        return {id for id, deleted in rows if not deleted}

    async def tally(self, database: Database, tenant_id: str) -> list[tuple[str, str, str, int]]:
        """How many incidents have each combination of status, type and severity."""
        rows = await database.fetch(
            f"SELECT status, type, severity, n FROM {self.counts} WHERE tenant_id = $1 AND n > 0", tenant_id
        )
        return [(status, type_, severity, n) for status, type_, severity, n in rows]

    async def codes(self, database: Database, tenant_id: str) -> dict[str, set[str]]:
        """Every status, type and severity that an incident of the tenant has or had."""
        rows = await database.fetch(f"SELECT {', '.join(COUNTED)} FROM {self.counts} WHERE tenant_id = $1", tenant_id)
        return {member: {row[place] for row in rows} for place, member in enumerate(COUNTED)}
