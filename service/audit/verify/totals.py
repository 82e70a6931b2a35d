"""Of the read models as a whole: counts that fit the rows, and no row of something that the log does not have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from domain.attribute_schema import schema_id
from projections.database import Database
from projections.read_models import ReadModels
from service.audit.verify.comparison import row_name
from service.audit.verify.findings import Fault, Findings
from service.audit.verify.model_tables import ModelTable
from service.store.log import Log

PART: Final = 1_000
_TOGETHER: Final = (
    ("incidents", "past_incidents"), ("incident_attributes", "past_attributes"), ("comments",),
    ("attribute_definitions",),
)  # fmt: skip


class Totals:
    def __init__(
        self, findings: Findings, log: Log, database: Database, models: ReadModels, tables: Sequence[ModelTable]
    ) -> None:
        self._findings, self._log, self._database, self._models = findings, log, database, models
        self._tables = tables

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

    async def rows(self, upto: int) -> Counter[str]:
        """How many there are by table, but for those that were made by events beyond that position."""
        counts = [_count_of(table, upto) for table in self._tables]
        (found,) = await self._database.fetch(f"SELECT {', '.join(counts)}")  # one moment: rows move between tables
        return Counter({table.what: n for table, n in zip(self._tables, found, strict=True)})

    async def check_owners(self) -> None:
        """Rows that no event made."""
        for table in self._tables:
            await self._check_owners_of(table)

    async def _check_owners_of(self, table: ModelTable) -> None:
        column, after = table.place[-1], ("", "")
        while True:
            found = await self._database.fetch(
                f"""SELECT DISTINCT tenant_id, {column} FROM {table.name} WHERE (tenant_id, {column}) > ($1, $2)
                    ORDER BY tenant_id, {column} LIMIT {PART}""",  # noqa: S608
                *after,
            )
            for tenant_id, of in found:
                if not await self._has(table, tenant_id, of):
                    named = row_name(table._replace(keys=()), {"tenant_id": tenant_id, column: of})
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


def more(rows: Mapping[str, int], matched: Mapping[str, int]) -> bool:
    """Whether there are rows beyond those that are known to be of events; what was newest may be past by now."""
    return any(sum(rows[what] - matched.get(what, 0) for what in group) > 0 for group in _TOGETHER)


def _count_of(table: ModelTable, upto: int) -> str:
    written = f" WHERE {table.since} <= {upto:d}" if table.since else ""
    return f"(SELECT count(*) FROM {table.name}{written})"  # noqa: S608 - names of our own
