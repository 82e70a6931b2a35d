"""Pages of incidents, each of one snapshot, from whatever stands for their table: what they are, or what they were."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from projections.database import Database, Dialect
from projections.listing import Conditions, Filter, Sort, order

CHUNK = 500
"""Incidents read at once when all are streamed."""


@dataclass(frozen=True, slots=True)
class Page:
    """`total` match in all; `documents` are the `count` of this page, with commas between."""

    total: int
    count: int
    documents: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """What stands after FROM for incidents and for their attributes; `$1` in it is the tenant, `$2 …` are `args`.

    `counts` is the table that knows how many there are of each status, type and severity; empty where none does.
    """

    incidents: str
    attributes: str
    counts: str = ""
    args: Sequence[Any] = ()


class Pages:
    def __init__(self, dialect: Dialect, source: Source) -> None:
        self._dialect, self._source = dialect, source

    async def page(
        self, database: Database, tenant_id: str, wanted: Filter, sort: Sequence[Sort], size: int, offset: int = 0
    ) -> Page:
        """One page, and how many match in all."""
        where = self._matching(tenant_id, wanted)
        (total, count, documents), *_ = await database.fetch(
            f"""SELECT ({self._total(where, wanted)}), count(*), {self._dialect.joined}
                FROM ({self._rows(where, sort)} LIMIT {size:d} OFFSET {offset:d}) AS page""",
            *where.args,
        )
        return Page(total, count, documents or b"")

    async def page_beyond(
        self,
        database: Database,
        tenant_id: str,
        wanted: Filter,
        sort: Sequence[Sort],
        size: int,
        keys: Sequence[Any] | None,
    ) -> tuple[Page, list[Any] | None]:
        """The page after the row with these sort keys, the id last; and the keys to go on from, None at the end."""
        where = self._matching(tenant_id, wanted)
        total = self._total(where, wanted)
        if keys is not None:
            where.beyond(sort, keys)
        again = [Sort(f"page.{by.column}", by.direction) for by in (*sort, Sort("id", "asc"))]
        rows = await database.fetch(
            f"""SELECT counted.total, page.document, {", ".join(by.column for by in again)} FROM ({total}) AS counted
                LEFT JOIN ({self._rows(where, sort)} LIMIT {size + 1:d}) AS page ON true
                ORDER BY {", ".join(f"{by.column} {by.direction}" for by in again)}""",
            *where.args,
        )
        shown = [row for row in rows[:size] if row[1] is not None]
        page = Page(rows[0][0], len(shown), b",".join(row[1] for row in shown))
        return page, list(shown[-1])[2:] if len(rows) > size else None

    async def every(
        self, database: Database, tenant_id: str, wanted: Filter, sort: Sequence[Sort]
    ) -> AsyncIterator[list[bytes]]:
        """All documents that match, by chunks; no connection is held between two of them."""
        beyond: Sequence[Any] | None = None
        while True:
            where = self._matching(tenant_id, wanted)
            if beyond is not None:
                where.beyond(sort, beyond)
            rows = await database.fetch(f"{self._rows(where, sort)} LIMIT {CHUNK}", *where.args)
            if rows:
                yield [document for document, *_ in rows]
            if len(rows) < CHUNK:
                return
            beyond = list(rows[-1])[1:]

    async def among(
        self, database: Database, tenant_id: str, wanted: Filter, sort: Sequence[Sort], ids: list[str]
    ) -> list[bytes]:
        """The documents that match of these incidents, which are few."""
        where = self._matching(tenant_id, wanted, "+deleted = 0")  # by their ids: no planner takes an index of lists
        where.among("id", ids)
        return [document for document, *_ in await database.fetch(self._rows(where, sort), *where.args)]

    def _matching(self, tenant_id: str, wanted: Filter, there: str = "deleted = 0") -> Conditions:
        where = Conditions(self._dialect, tenant_id, *self._source.args)
        where.narrow(wanted, self._source.attributes)
        where.add(there)
        return where

    def _rows(self, where: Conditions, sort: Sequence[Sort]) -> str:
        columns = ", ".join(by.column for by in (*sort, Sort("id", "asc")))
        return f"SELECT document, {columns} FROM {self._source.incidents} WHERE {where} ORDER BY {order(sort)}"

    def _total(self, where: Conditions, wanted: Filter) -> str:
        if not (self._source.counts and wanted.counted):
            return f"SELECT count(*) AS total FROM {self._source.incidents} WHERE {where}"
        counted = str(where).removesuffix(" AND deleted = 0")
        return f"SELECT CAST(coalesce(sum(n), 0) AS bigint) AS total FROM {self._source.counts} WHERE {counted}"
