"""The read models' tables as rows with keys, each of an aggregate."""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson

from projections import attribute_definitions, comments, incident_attributes
from projections.database import Database, Dialect
from projections.read_models import ReadModels
from projections.versions import Version
from service.audit.verify.told import Row

Place = tuple[str, ...]
"""Where rows of an aggregate are: the tenant, of a comment its incident, the aggregate's id; of a schema the tenant."""


PAST: Final = "past_incidents"


class ModelTable(NamedTuple):
    """`what`: its name in every generation. `kind`: of what aggregates it has rows. `place`: the columns of a `Place`.
    `since`: the column with the position that made a row, empty where there is none."""

    what: str
    name: str
    kind: str
    place: tuple[str, ...]
    keys: tuple[str, ...]
    since: str
    columns: tuple[str, ...]


def tables_of(models: ReadModels) -> list[ModelTable]:
    incidents, attributes = models.incidents, models.incidents.attributes
    id, incident = ("tenant_id", "id"), ("tenant_id", "incident_id")
    versions, values = Version._fields, incident_attributes.COLUMNS
    until, since = ("to_position",), "from_position"
    comment = (*incident, "id")
    return [
        ModelTable("incidents", incidents.table, "incident", id, id, since, versions),
        ModelTable(
            PAST, incidents.past.table, "incident", id, (*id, "occ_lock"), since, (*versions, *until)
        ),
        ModelTable("incident_attributes", attributes.table, "incident", incident, (*incident, "name"), since, values),
        ModelTable(
            "past_attributes", attributes.past, "incident", incident, (*incident, "name", since), since,
            (*values, *until),
        ),
        ModelTable("comments", models.comments.table, "comment", comment, comment, "position", comments.COLUMNS),
        ModelTable(
            "attribute_definitions", models.definitions.table, "definitions", ("tenant_id",), ("tenant_id", "name"),
            "", attribute_definitions.COLUMNS,
        ),
    ]  # fmt: skip


async def rows_of(database: Database, table: ModelTable, places: Iterable[Place]) -> dict[Place, list[Row]]:
    """The rows that these aggregates have, by their places."""
    found: dict[Place, list[Row]] = {}
    place_of = _of(table, table.place)
    source = _source(table, database.dialect)
    for row in await database.every(", ".join(table.columns), source, orjson.dumps([*places]).decode()):
        found.setdefault(place_of(row), []).append(tuple(row))
    return found


def _source(table: ModelTable, dialect: Dialect) -> str:
    wanted = [f"wanted_{column}" for column in table.place]
    same = " AND ".join(f"{column} = {name}" for column, name in zip(table.place, wanted, strict=True))
    # What is wanted comes first: no planner is to read the table and look for each of its rows in the list.
    return f"({dialect.rows_in(1, wanted)}) AS wanted CROSS JOIN {table.name} WHERE {same}"


def grouped(rows: Sequence[Row], table: ModelTable) -> dict[Any, Row]:
    """By their keys."""
    key_of = _of(table, table.keys)
    return {key_of(row): row for row in rows}


def _of(table: ModelTable, columns: Sequence[str]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """What gives these columns of a row."""
    places = [table.columns.index(column) for column in columns]
    if len(places) > 1:
        return itemgetter(*places)
    return lambda row: (row[places[0]],)
