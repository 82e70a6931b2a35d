"""Aggregates by themselves: what the read models have of each against a fold of its events, and how differences are
named."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from projections.database import Database
from service.audit.verify.contents import UNSOUND
from service.audit.verify.findings import Fault
from service.audit.verify.folds import Fold, Told, folded
from service.audit.verify.model_tables import PAST, ModelTable, grouped, rows_of
from service.audit.verify.told import Row


class Difference(NamedTuple):
    """`aggregate`: whose events to look at again, where the row may have been written meanwhile."""

    aggregate: UUID
    fault: Fault


class Comparison:
    """`upto`: rows that were made by events beyond this position are not counted."""

    def __init__(self, database: Database, tables: Sequence[ModelTable], upto: int) -> None:
        self._database, self._tables, self._upto = database, tables, upto
        self.matched: Counter[str] = Counter()
        """Rows that belong to events, by table."""

    async def of(self, aggregates: Sequence[Sequence[Told]], *, again: bool = False) -> list[Difference]:
        """Each with all of its events. Rows that are looked at `again` were counted before."""
        found: list[Difference] = []
        whole: list[tuple[UUID, Fold, list[Row]]] = []
        for events in aggregates:
            id = UUID(events[0].id)
            try:
                whole.append((id, *folded(events)))
            except UNSOUND as error:
                text = f"events of aggregate {id} that do not follow each other: {error}"
                found.append(Difference(id, Fault("EVENTS_CONTRADICT", text)))
        for table in self._tables:
            of_kind = [one for one in whole if one[1].kind == table.kind]
            actual = await rows_of(self._database, table, [fold.place for _, fold, _ in of_kind]) if of_kind else {}
            for id, fold, past in of_kind:
                rows = actual.get(fold.place, [])
                if not again:
                    self._count(table, rows)
                expected = past if table.what == PAST else fold.rows(table.what)
                if rows != expected:
                    faults = _faults(table, grouped(expected, table), grouped(rows, table))
                    found += [Difference(id, fault) for fault in faults]
        return found

    def _count(self, table: ModelTable, rows: Sequence[Row]) -> None:
        if table.since:
            since = table.columns.index(table.since)
            rows = [row for row in rows if row[since] <= self._upto]
        self.matched[table.what] += len(rows)


def _faults(table: ModelTable, expected: dict[Any, Row], actual: dict[Any, Row]) -> Iterator[Fault]:
    for key in sorted({*expected, *actual}, key=str):
        text = _difference(table, expected.get(key), actual.get(key))
        if text:
            yield Fault("ROW_DIFFERS", text)


def _difference(table: ModelTable, expected: Row | None, actual: Row | None) -> str:
    """Empty where the two say the same."""
    row = expected or actual or ()
    name = row_name(table, dict(zip(table.columns, row, strict=True)))
    if actual is None:
        return f"{name} is gone"
    if expected is None:
        return f"{name} is there, and no event says so"
    members = dict.fromkeys(_members(table.columns, expected, actual))
    return f"{name} differs in {', '.join(members)}" if members else ""


def row_name(table: ModelTable, row: dict[str, Any]) -> str:
    """As faults call it."""
    of = f"tenant {row['tenant_id']}" if table.kind == "definitions" else f"{table.kind} {row[table.place[-1]]}"
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
    differing = [
        member
        for member in dict.fromkeys((*wanted, *found))
        if member not in wanted or member not in found or _bytes(wanted[member]) != _bytes(found[member])
    ]
    yield from differing or ["document"]  # the same members, otherwise written


def _bytes(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
