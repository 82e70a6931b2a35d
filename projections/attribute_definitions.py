"""The read model of attribute definitions: what each tenant's deployers defined, over the deployment's defaults."""

from collections.abc import Sequence

from domain.attribute_schema import AttributeSchema
from domain.attribute_types import Definitions
from domain.event import Recorded
from projections.comparison import Compared
from projections.database import Database, Dialect, Rows

COLUMNS = ("tenant_id", "name", "type", "retired")


class AttributeDefinitions:
    def __init__(self, dialect: Dialect, suffix: str) -> None:
        self._dialect = dialect
        self.table = f"attribute_definitions{suffix}"

    def tables(self) -> list[str]:
        text = self._dialect.text
        return [
            f"""CREATE TABLE IF NOT EXISTS {self.table} (
                tenant_id {text} NOT NULL, name {text} NOT NULL, type {text} NOT NULL, retired smallint NOT NULL,
                PRIMARY KEY (tenant_id, name))"""
        ]

    def compared(self) -> list[Compared]:
        return [Compared(self.table, ("tenant_id", "name"))]

    async def apply(self, rows: Rows, batch: Sequence[Recorded]) -> None:
        changed = {
            (event.tenant_id, event.name): (event.type, int(isinstance(event, AttributeSchema.AttributeRetired)))
            for event in (fact.event for fact in batch)
            if isinstance(event, AttributeSchema.Event)
        }
        if changed:
            await rows.many(
                f"""INSERT INTO {self.table} VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, name)
                    DO UPDATE SET type = excluded.type, retired = excluded.retired""",
                [(*key, *now) for key, now in changed.items()],
            )

    async def of(
        self, database: Database, tenant_id: str, defaults: Definitions, *, retired: bool = False
    ) -> list[dict[str, str]]:
        """Name and type of each, sorted by name; with `retired` also those that are no longer used."""
        known = {name: (str(kind), 0) for name, kind in defaults.items()}
        rows = await database.fetch(f"SELECT name, type, retired FROM {self.table} WHERE tenant_id = $1", tenant_id)
        known.update({name: (kind, gone) for name, kind, gone in rows})
        return [{"name": name, "type": kind} for name, (kind, gone) in sorted(known.items()) if retired or not gone]
