"""The read model of incidents: its tables, what each event does to them, its queries. Counts, attributes and the past
included, each in a file of its own where it is more than a few lines."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from domain.event import Recorded
from domain.incident import Incident
from projections.comparison import Compared
from projections.database import Database, Dialect, Json, Rows
from projections.incident_attributes import IncidentAttributes
from projections.pages import Pages, Source
from projections.past import Past, Superseded
from projections.versions import COLUMNS, Newest, Version, columns, following


class Incidents:
    """`current` lists them as they are. A deleted one stays in the table, hidden."""

    def __init__(self, dialect: Dialect, json: Json, suffix: str) -> None:
        self._dialect, self._json = dialect, json
        self.table, self.counts = f"incidents{suffix}", f"counts{suffix}"
        self.attributes = IncidentAttributes(dialect, suffix)
        self.past = Past(dialect, suffix, self.table, self.attributes)
        self.current = Pages(dialect, Source(self.table, self.attributes.table, self.counts))
        marks = ", ".join(f"${n}" for n in range(1, len(Version._fields) + 1))
        updates = ", ".join(f"{column} = excluded.{column}" for column in Version._fields[2:])
        self._upsert = f"""INSERT INTO {self.table} ({COLUMNS}) VALUES ({marks})
                           ON CONFLICT (tenant_id, id) DO UPDATE SET {updates}"""
        self._count = f"""INSERT INTO {self.counts} AS kept (tenant_id, status, type, severity, n)
                          VALUES ($1, $2, $3, $4, $5)
                          ON CONFLICT (tenant_id, status, type, severity) DO UPDATE SET n = kept.n + excluded.n"""
        # Nothing but the key in the condition: a plan that was made for an empty table must not choose another index.
        self._get = f"SELECT deleted, occ_lock, document FROM {self.table} WHERE tenant_id = $1 AND id = $2"
        self._load = f"SELECT {COLUMNS} FROM {self.table} WHERE tenant_id = $1 AND {dialect.among('id', 2)}"

    def tables(self) -> list[str]:
        text = self._dialect.text
        return [
            f"CREATE TABLE IF NOT EXISTS {self.table} ({columns(self._dialect)}, PRIMARY KEY (tenant_id, id))",
            f"""CREATE TABLE IF NOT EXISTS {self.counts} (
                tenant_id {text} NOT NULL, status {text} NOT NULL, type {text} NOT NULL, severity {text} NOT NULL,
                n bigint NOT NULL, PRIMARY KEY (tenant_id, status, type, severity))""",
            *self.attributes.tables(),
            *self.past.tables(),
        ]

    def indexes(self) -> list[str]:
        return [
            f"""CREATE INDEX IF NOT EXISTS {self.table}_created ON {self.table} (tenant_id, created_at)
                WHERE deleted = 0""",
            *self.attributes.indexes(),
            *self.past.indexes(),
        ]

    def compared(self) -> list[Compared]:
        return [
            Compared(self.table, ("tenant_id", "id")),
            # What came back to nothing has a row where its counts went up and down in different batches.
            Compared(self.counts, ("tenant_id", "status", "type", "severity"), "n <> 0"),
            *self.attributes.compared(),
            *self.past.compared(),
        ]

    # What events do

    async def apply(self, rows: Rows, batch: Sequence[Recorded]) -> None:
        facts = [fact for fact in batch if isinstance(fact.event, Incident.Event)]
        if not facts:
            return
        newest = await self._before(rows, facts)
        superseded: list[Superseded] = []
        deltas: Counter[tuple[str, ...]] = Counter()
        for fact in facts:
            id = fact.event.originator_id.int
            before = newest.get(id)
            if before is not None:
                superseded.append((*before.version, fact.position))
                if not before.version.deleted:
                    deltas[before.version.counted] -= 1
            after = newest[id] = following(before, fact, self._json)
            if not after.version.deleted:
                deltas[after.version.counted] += 1
        await rows.many(self._upsert, [one.version for one in newest.values()])
        await self.past.keep(rows, superseded)
        await self.attributes.apply(rows, facts)
        changed = [(*key, n) for key, n in sorted(deltas.items()) if n]
        if changed:
            await rows.many(self._count, changed)

    async def _before(self, rows: Rows, facts: Sequence[Recorded]) -> dict[int, Newest]:
        """By the number that an id is: a UUID's own hash is a call of Python each time."""
        wanted: dict[str, set[str]] = {}
        born = set()
        for fact in facts:
            id = fact.event.originator_id
            if fact.event.originator_version == 0:
                born.add(id.int)
            elif id.int not in born:
                wanted.setdefault(fact.event.tenant_id, set()).add(str(id))
        newest = {}
        for tenant_id, ids in wanted.items():
            for row in await rows.fetch(self._load, tenant_id, sorted(ids)):
                version = Version(*row)
                newest[UUID(version.id).int] = Newest(version, self._json.loads(version.document))
        return newest

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

    async def tally(self, database: Database, tenant_id: str) -> list[tuple[str, str, str, int]]:
        """How many incidents have each combination of status, type and severity."""
        rows = await database.fetch(
            f"SELECT status, type, severity, n FROM {self.counts} WHERE tenant_id = $1 AND n > 0", tenant_id
        )
        return [(status, type_, severity, n) for status, type_, severity, n in rows]
