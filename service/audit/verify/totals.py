"""Of the read models as a whole: counts that fit the rows, and no row of something that the log does not have."""

from typing import Final
from uuid import UUID

from domain.attribute_schema import schema_id
from projections.database import Database
from projections.read_models import ReadModels
from service.audit.verify.comparison import row_name
from service.audit.verify.findings import Fault, Findings
from service.audit.verify.model_tables import ModelTable, tables_of
from service.store.log import Log

PART: Final = 1_000


class Totals:
    def __init__(self, findings: Findings, log: Log, database: Database, models: ReadModels) -> None:
        self._findings, self._log, self._database, self._models = findings, log, database, models

    async def check_counts(self) -> None:
        """In one statement, which sees one moment; the rows themselves are compared with events."""
        incidents = self._models.incidents
        columns = "tenant_id, status, type, severity"
        wrong = await self._database.fetch(
            f"""SELECT {columns}, CAST(sum(n) AS bigint) FROM (
                    SELECT {columns}, 1 AS n FROM {incidents.table} WHERE deleted = 0 UNION ALL
                    SELECT {columns}, -n FROM {incidents.counts}) AS both_of_them
                GROUP BY {columns} HAVING sum(n) <> 0 ORDER BY {columns}"""  # noqa: S608
        )
        self._findings.add(
            Fault("COUNT_DIFFERS", f"{_named(*key)} is {abs(n)} too {'low' if n > 0 else 'high'}") for *key, n in wrong
        )

    async def check_owners(self, position: int, matched: dict[str, int]) -> int:
        """Rows that no event made; looked for where there are more than were `matched`. Returns how many rows there
        are."""
        rows = 0
        for table in tables_of(self._models):
            written = f" WHERE {table.since} <= {position:d}" if table.since else ""
            ((total,),) = await self._database.fetch(f"SELECT count(*) FROM {table.name}{written}")  # noqa: S608
            rows += total
            if total > matched[table.name]:
                await self._check_owners_of(table)
        return rows

    async def _check_owners_of(self, table: ModelTable) -> None:
        after = ("", "")
        while True:
            found = await self._database.fetch(
                f"""SELECT DISTINCT tenant_id, {table.of} FROM {table.name} WHERE (tenant_id, {table.of}) > ($1, $2)
                    ORDER BY tenant_id, {table.of} LIMIT {PART}""",  # noqa: S608
                *after,
            )
            for tenant_id, of in found:
                if not await self._has(table, tenant_id, of):
                    named = row_name(table._replace(keys=()), {"tenant_id": tenant_id, table.of: of})
                    self._findings.add(
                        [Fault("ROW_UNKNOWN", f"{named} is there, and the log has no such {table.kind}")]
                    )
            if len(found) < PART:
                return
            after = tuple(found[-1])

    async def _has(self, table: ModelTable, tenant_id: str, of: str) -> bool:
        try:
            rows = await self._log.stream(schema_id(tenant_id) if table.kind == "definitions" else UUID(of), upto=0)
        except ValueError:
            return False
        return bool(rows) and rows[0].tenant_id == tenant_id


def _named(tenant_id: str, status: str, type: str, severity: str) -> str:
    return f"count of {status}, {type}, {severity or 'no severity'} of tenant {tenant_id}"
