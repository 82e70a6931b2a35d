"""Rows of the read models against what their events make of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from domain.comment import Comment
from domain.event import Recorded
from domain.incident import Incident
from projections.database import Database
from projections.read_models import ReadModels
from service.audit.verify.findings import Fault
from service.audit.verify.model_tables import ModelTable, Row, Wanted, rows_of, tables_of
from service.audit.verify.rebuilt import Rebuilt
from service.store.sqlite import DIALECT


class Difference(NamedTuple):
    """`aggregate`: whose events to look at again, where the row may have been written meanwhile."""

    aggregate: UUID
    fault: Fault


class Comparison:
    def __init__(self, database: Database, models: ReadModels, rebuilt: Rebuilt) -> None:
        self._database, self._rebuilt = database, rebuilt
        self._tables = tables_of(models)
        self.matched = dict.fromkeys((table.name for table in self._tables), 0)
        """Rows that belong to events, by table."""

    async def of(self, facts: Sequence[Recorded]) -> list[Difference]:
        """`facts` are whole aggregates. Raises LookupError where the events of one do not follow each other."""
        wanted, aggregates = _wanted(facts)
        found: list[Difference] = []
        async with self._rebuilt.of(facts) as scratch:
            for table, (rebuilt, columns) in zip(self._tables, self._rebuilt.tables, strict=True):
                expected = await rows_of(scratch, rebuilt, columns, wanted, DIALECT.among)
                among = self._database.dialect.among
                actual = await rows_of(self._database, table, columns, wanted, among)
                self.matched[table.name] += len(actual)
                if expected != actual:
                    for key in sorted({*expected, *actual}, key=str):
                        text = _difference(table, columns, expected.get(key), actual.get(key))
                        if text:
                            named = dict(zip(table.keys, key, strict=True))
                            found.append(Difference(aggregates[str(named[table.of])], Fault("ROW_DIFFERS", text)))
        return found


def _wanted(facts: Iterable[Recorded]) -> tuple[Wanted, dict[str, UUID]]:
    """And the aggregate that each row's owner is."""
    incidents: dict[str, dict[str, None]] = {}
    comments: dict[str, dict[tuple[str, str], None]] = {}
    definitions: dict[str, None] = {}
    aggregates: dict[str, UUID] = {}
    seen: UUID | None = None
    for fact in facts:
        event: Any = fact.event
        if event.originator_id is seen:
            continue
        seen = event.originator_id
        id = str(seen)
        if isinstance(event, Incident.Event):
            incidents.setdefault(event.tenant_id, {})[id] = None
            aggregates[id] = event.originator_id
        elif isinstance(event, Comment.Event):
            comments.setdefault(event.tenant_id, {})[str(event.incident_id), id] = None
            aggregates[id] = event.originator_id
        else:
            definitions[event.tenant_id] = None
            aggregates[event.tenant_id] = event.originator_id
    wanted = Wanted(
        {tenant_id: list(ids) for tenant_id, ids in incidents.items()},
        {tenant_id: list(pairs) for tenant_id, pairs in comments.items()},
        list(definitions),
    )
    return wanted, aggregates


def _difference(table: ModelTable, columns: Sequence[str], expected: Row | None, actual: Row | None) -> str:
    """Empty where the two say the same."""
    row = expected or actual or ()
    name = row_name(table, dict(zip(columns, row, strict=True)))
    if actual is None:
        return f"{name} is gone"
    if expected is None:
        return f"{name} is there, and no event says so"
    members = dict.fromkeys(_members(columns, expected, actual))
    return f"{name} differs in {', '.join(members)}" if members else ""


def row_name(table: ModelTable, row: dict[str, Any]) -> str:
    """As faults call it."""
    of = f"tenant {row['tenant_id']}" if table.kind == "definitions" else f"{table.kind} {row[table.of]}"
    if "name" in table.keys:
        return f"row of attribute {row['name']} of {of}"
    return f"row of version {row['occ_lock']} of {of}" if "occ_lock" in table.keys else f"row of {of}"


def _members(columns: Sequence[str], expected: Row, actual: Row) -> Iterator[str]:
    for column, wanted, found in zip(columns, expected, actual, strict=True):
        if wanted == found:
            continue
        if column != "document":
            yield column
            continue
        yield from _of_document(wanted, found)


def _of_document(expected: bytes, actual: bytes) -> Iterator[str]:
    wanted = orjson.loads(expected)
    try:
        found = orjson.loads(actual)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        yield "document"
        return
    for member in dict.fromkeys((*wanted, *found)):
        if member not in wanted or member not in found or _bytes(wanted[member]) != _bytes(found[member]):
            yield member


def _bytes(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
