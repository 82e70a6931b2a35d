"""The read model of what incidents were: every version but the newest, and between which positions it held."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from domain.erasure import ALL
from domain.incident import Incident
from projections.comparison import Compared
from projections.database import Database, Dialect, Json, Reader, Rows
from projections.incident_attributes import IncidentAttributes
from projections.pages import Pages, Source
from projections.past_pages import Born, PastPages
from projections.versions import COLUMNS, WRITTEN, Version, columns, rewriting, without, written

WRITTEN_BYTES = 4_000_000
"""Of documents that are rewritten at once, about."""
AT_A_STRETCH = 5
"""Versions that are rewritten while everybody else waits."""

Superseded = tuple[Any, ...]
"""A version and the position of the event that made the next one: `(*version, to_position)`."""


class Found(NamedTuple):
    """A version of an incident: whether the incident was deleted in it, and whether it is by now."""

    occ_lock: int
    document: bytes
    deleted: bool
    deleted_now: bool


class Past:
    """A version held at the positions from `from_position` to before `to_position`; the newest ones are in `newest`."""

    def __init__(self, dialect: Dialect, suffix: str, newest: str, attributes: IncidentAttributes) -> None:
        self._dialect, self._newest, self._attributes = dialect, newest, attributes
        self.table = f"past_incidents{suffix}"
        of_it = f"FROM {self.table} WHERE tenant_id = $1 AND id = $2"
        self._sizes = f"""SELECT occ_lock, length(document) {of_it} AND from_position < $3 AND to_position > $4
                          ORDER BY occ_lock"""
        self._slice = f"SELECT {COLUMNS} {of_it} AND occ_lock BETWEEN $3 AND $4 AND from_position < $5"
        self._rewrite = rewriting(self.table, "occ_lock")
        self._remove = f"DELETE FROM {self.table} WHERE tenant_id = $1 AND id = $2"
        named = dialect.among("occ_lock", 3)
        self._versions = self._found(named, named)
        # With a sign before it, no planner takes the index of lists for one incident.
        self._at = self._found("from_position <= $3", "from_position <= $3 AND +to_position > $3")

    def tables(self) -> list[str]:
        return [
            f"CREATE TABLE IF NOT EXISTS {self.table} ({columns(self._dialect)}, to_position bigint NOT NULL)",
            *self._dialect.unsampled(self.table, *WRITTEN),
        ]

    def indexes(self) -> list[str]:
        return [
            f"CREATE UNIQUE INDEX IF NOT EXISTS {self.table}_versions ON {self.table} (tenant_id, id, occ_lock)",
            # For lists: the sooner ago, the fewer versions to look at, and of those that did not hold only the index.
            f"CREATE INDEX IF NOT EXISTS {self.table}_held ON {self.table} (tenant_id, to_position, from_position)",
        ]

    def compared(self) -> list[Compared]:
        return [Compared(self.table, ("tenant_id", "id", "occ_lock"))]

    async def keep(self, rows: Rows, superseded: Sequence[Superseded]) -> None:
        await rows.insert(self.table, superseded)

    async def erase(self, rows: Rows, event: Incident.IncidentErased, position: int, json: Json, done: int = 0) -> None:
        """What was written before the event at that position. `done`: where the versions ended in which nothing of it
        is left."""
        tenant_id, id = event.tenant_id, str(event.originator_id)
        if event.fields == ALL:
            await rows.execute(self._remove, tenant_id, id)
            return
        for one in await self.slices(rows, event, position, done):
            await self.erase_slice(rows, event, position, json, one)

    async def slices(
        self, reader: Reader, event: Incident.IncidentErased, position: int, done: int = 0
    ) -> list[tuple[int, int]]:
        """The first and the last versions of as many as are best rewritten at once. None where all of it goes."""
        if event.fields == ALL:
            return []
        sizes = await reader.fetch(self._sizes, event.tenant_id, str(event.originator_id), position, done)
        found: list[tuple[int, int]] = []
        room = 0
        for occ_lock, size in sizes:
            if room <= 0:
                found.append((occ_lock, occ_lock))
                room = WRITTEN_BYTES
            found[-1] = found[-1][0], occ_lock
            room -= size
        return found

    async def erase_slice(
        self, rows: Rows, event: Incident.IncidentErased, position: int, json: Json, versions: tuple[int, int]
    ) -> None:
        found = await rows.fetch(self._slice, event.tenant_id, str(event.originator_id), *versions, position)
        left = []
        for number, row in enumerate(found, 1):
            version = Version(*row)
            new = without(version, event.fields, json)
            if new != version:
                left.append((*written(new), version.occ_lock))
            if number % AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        if left:
            await rows.many(self._rewrite, left)

    async def versions(self, database: Database, tenant_id: str, id: str, wanted: Sequence[int]) -> dict[int, Found]:
        """Those of the wanted versions that there are."""
        found = await database.fetch(self._versions, tenant_id, id, list(wanted))
        return {row[0]: _found(*row) for row in found}

    async def at(self, database: Database, tenant_id: str, id: str, position: int) -> Found | None:
        """The version that held at a position; None before the incident was reported."""
        found = await database.fetch(self._at, tenant_id, id, position)
        return _found(*found[0]) if found else None

    def as_of(self, position: int, at: datetime, *, deleted_since: bool) -> Pages:
        """The lists as they stood at a time, whose last position that is; with what was deleted since, or without."""
        hidden = f"""AND NOT EXISTS (SELECT 1 FROM {self._newest} AS newest WHERE newest.tenant_id = $1
                     AND newest.id = {self.table}.id AND +newest.deleted = 1)"""

        def stood(sign: str) -> Source:
            """With a sign before them, no planner takes an index of the positions."""
            then = f"tenant_id = $1 AND {sign}from_position <= $2"
            versions = f"""(SELECT {COLUMNS} FROM {self._newest} WHERE {then} UNION ALL
                            SELECT {COLUMNS} FROM {self.table} WHERE {then} AND {sign}to_position > $2
                            {"" if deleted_since else hidden}) AS stood"""
            return Source(versions, self._attributes.as_of(2), args=(position,))

        born = Born(self._dialect, self._newest, at, deleted_since=deleted_since)
        return PastPages(self._dialect, stood(""), stood("+"), born)

    def _found(self, newest: str, past: str) -> str:
        columns, of_it = "occ_lock, document, deleted", "tenant_id = $1 AND id = $2"
        return f"""SELECT found.occ_lock, found.document, found.deleted, newest.deleted
                   FROM {self._newest} AS newest JOIN (
                       SELECT {columns} FROM {self._newest} WHERE {of_it} AND {newest} UNION ALL
                       SELECT {columns} FROM {self.table} WHERE {of_it} AND {past}) AS found ON true
                   WHERE {of_it}"""


def _found(occ_lock: int, document: bytes, deleted: int, deleted_now: int) -> Found:
    return Found(occ_lock, document, bool(deleted), bool(deleted_now))
