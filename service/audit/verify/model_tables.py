"""The read models' tables as rows with keys, whichever database they are in."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from projections.database import Database, Rows
from projections.read_models import ReadModels

Row = tuple[Any, ...]


class ModelTable(NamedTuple):
    """`of`: the column that names the aggregate, which is what `kind` says. `since`: the position that made a row."""

    name: str
    kind: str
    of: str
    keys: tuple[str, ...]
    since: str


def tables_of(models: ReadModels) -> list[ModelTable]:
    incidents, comments, definitions = models.incidents, models.comments, models.definitions
    attributes = incidents.attributes
    incident = ("tenant_id", "incident_id", "name")
    return [
        ModelTable(incidents.table, "incident", "id", ("tenant_id", "id"), "from_position"),
        ModelTable(incidents.past.table, "incident", "id", ("tenant_id", "id", "occ_lock"), "from_position"),
        ModelTable(attributes.table, "incident", "incident_id", incident, "from_position"),
        ModelTable(attributes.past, "incident", "incident_id", (*incident, "from_position"), "from_position"),
        ModelTable(comments.table, "comment", "id", ("tenant_id", "incident_id", "id"), "position"),
        ModelTable(definitions.table, "definitions", "tenant_id", ("tenant_id", "name"), ""),
    ]


class Wanted(NamedTuple):
    """Aggregates by tenant; of comments, their incidents too, for that is how they are found."""

    incidents: Mapping[str, Sequence[str]]
    comments: Mapping[str, Sequence[tuple[str, str]]]
    definitions: Sequence[str]

    @property
    def tenants(self) -> Iterable[str]:
        return sorted({*self.incidents, *self.comments, *self.definitions})


async def rows_of(
    database: Database | Rows, table: ModelTable, columns: Sequence[str], wanted: Wanted, among: Any
) -> dict[Row, Row]:
    """The rows that these aggregates have, by key."""
    places = [columns.index(key) for key in table.keys]
    found: dict[Row, Row] = {}
    for tenant_id in wanted.tenants:
        condition, args = _condition(table, wanted, tenant_id, among)
        if condition is None:
            continue
        sql = f"SELECT {', '.join(columns)} FROM {table.name} WHERE tenant_id = $1{condition}"  # noqa: S608
        for row in await database.fetch(sql, tenant_id, *args):
            found[tuple(row[place] for place in places)] = tuple(row)
    return found


def _condition(table: ModelTable, wanted: Wanted, tenant_id: str, among: Any) -> tuple[str | None, list[Any]]:
    if table.kind == "definitions":
        return ("", []) if tenant_id in wanted.definitions else (None, [])
    if table.kind == "comment":
        pairs = wanted.comments.get(tenant_id, ())
        incidents = sorted({incident_id for incident_id, _ in pairs})
        args = [incidents, [id for _, id in pairs]]
        return (f" AND {among('incident_id', 2)} AND {among('id', 3)}", args) if pairs else (None, [])
    ids = list(wanted.incidents.get(tenant_id, ()))
    return (f" AND {among(table.of, 2)}", [ids]) if ids else (None, [])
