"""The read model of attributes, to find incidents by: each value, and between which positions it stood."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from domain.attribute_types import comparable, moment_of
from domain.attribute_values import ATTRIBUTES
from domain.erasure import ALL, EVERY_ATTRIBUTE
from domain.event import Json, Recorded
from domain.incident import Incident
from projections.comparison import Compared
from projections.database import Dialect, Rows
from projections.folding import key_of

Key = tuple[str, str, str]
"""Tenant, incident and name."""
Value = tuple[str, str, int]
"""The value in a form that compares, the instant that it names or an empty text, the position that it stands since."""
AttributeChange = tuple[Key, Json, int]
"""What an attribute was set or, to None, taken away to, and the position of the event that did it."""


COLUMNS = ("tenant_id", "incident_id", "name", "value", "moment", "from_position")
"""Of both tables, `past` has `to_position` beside them."""


class IncidentAttributes:
    """`table` has the values of now, `past` those before them: each stood from its position to before `to_position`."""

    def __init__(self, dialect: Dialect, suffix: str) -> None:
        self._dialect = dialect
        self.table, self.past = f"incident_attributes{suffix}", f"past_attributes{suffix}"
        self._load = f"""SELECT incident_id, name, value, moment, from_position FROM {self.table}
                         WHERE tenant_id = $1 AND {dialect.among("incident_id", 2)}"""
        self._upsert = f"""INSERT INTO {self.table} VALUES ($1, $2, $3, $4, $5, $6)
                           ON CONFLICT (tenant_id, incident_id, name) DO UPDATE SET
                           value = excluded.value, moment = excluded.moment, from_position = excluded.from_position"""

    def tables(self) -> list[str]:
        text = self._dialect.text
        columns = f"""tenant_id {text} NOT NULL, incident_id {text} NOT NULL, name {text} NOT NULL,
                      value {text} NOT NULL, moment {text} NOT NULL, from_position bigint NOT NULL"""
        return [
            f"CREATE TABLE IF NOT EXISTS {self.table} ({columns}, PRIMARY KEY (tenant_id, incident_id, name))",
            f"CREATE TABLE IF NOT EXISTS {self.past} ({columns}, to_position bigint NOT NULL)",
            *self._dialect.unsampled(self.table, "value", "moment"),
            *self._dialect.unsampled(self.past, "value", "moment"),
        ]

    def indexes(self) -> list[str]:
        return [
            f"""CREATE UNIQUE INDEX IF NOT EXISTS {self.past}_values
                ON {self.past} (tenant_id, incident_id, name, from_position)"""
        ]

    def compared(self) -> list[Compared]:
        key = ("tenant_id", "incident_id", "name")
        return [Compared(self.table, key), Compared(self.past, (*key, "from_position"))]

    def as_of(self, argument: int) -> str:
        """Stands for the table in a query: the values as they were at the position with this argument's number."""
        then = f"from_position <= ${argument}"
        return f"""(SELECT tenant_id, incident_id, name, value, moment FROM {self.table} WHERE {then} UNION ALL
                    SELECT tenant_id, incident_id, name, value, moment FROM {self.past}
                    WHERE {then} AND to_position > ${argument}) AS stood"""

    async def write(self, rows: Rows, changes: Sequence[AttributeChange], born: Set[str]) -> None:
        """`born`: the incidents that had no attributes before these changes."""
        if not changes:
            return
        values = await self._standing(rows, {key[:2] for key, _, _ in changes if key[1] not in born})
        ended = []
        for key, value, position in changes:
            before = values.get(key)
            if before is not None:
                ended.append((*key, *before, position))
            values[key] = None if value is None else (value_key(value), moment_of(value), position)
        touched = dict.fromkeys(key for key, _, _ in changes)
        kept = [(*key, *value) for key in touched if (value := values[key]) is not None]
        gone = [key for key in touched if values[key] is None]
        if kept:
            await rows.many(self._upsert, kept)
        if gone:
            await rows.many(f"DELETE FROM {self.table} WHERE tenant_id = $1 AND incident_id = $2 AND name = $3", gone)
        await rows.insert(self.past, ended)

    async def erase(self, rows: Rows, event: Incident.IncidentErased, position: int) -> None:
        """What was set before the event at that position."""
        key = (event.tenant_id, str(event.originator_id), position)
        every = event.fields == ALL or EVERY_ATTRIBUTE in event.fields
        names = [name.removeprefix(ATTRIBUTES) for name in event.fields if name.startswith(ATTRIBUTES)]
        for table in (self.table, self.past):
            of_it = f"DELETE FROM {table} WHERE tenant_id = $1 AND incident_id = $2 AND from_position < $3"
            if every:
                await rows.execute(of_it, *key)
            elif names:
                await rows.execute(f"{of_it} AND {self._dialect.among('name', 4)}", *key, names)

    async def _standing(self, rows: Rows, incidents: set[tuple[str, str]]) -> dict[Key, Value | None]:
        wanted: dict[str, list[str]] = {}
        for tenant_id, id in sorted(incidents):
            wanted.setdefault(tenant_id, []).append(id)
        return {
            (tenant_id, id, name): (value, moment, position)
            for tenant_id, ids in wanted.items()
            for id, name, value, moment, position in await rows.fetch(self._load, tenant_id, ids)
        }


def value_key(value: Json) -> str:
    """Equal for values that are the same: numbers by what they are, texts by how they read."""
    return key_of(value) if isinstance(value, str) else comparable(value)


def attribute_changes(fact: Recorded, changes: Mapping[str, Any], id: str) -> list[AttributeChange]:
    """What the event with these changes does to the attributes of the incident with this id."""
    event: Any = fact.event
    found: list[AttributeChange] = []
    for member, change in changes.items():
        if member.startswith(ATTRIBUTES):
            found.append(((event.tenant_id, id, member.removeprefix(ATTRIBUTES)), change["to"], fact.position))
    if type(event) is Incident.IncidentReported:
        found += [((event.tenant_id, id, name), value, fact.position) for name, value in event.attributes.items()]
    return found
