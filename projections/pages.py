"""Pages of incidents, each of one snapshot, from whatever stands for their table: what they are, or what they were."""

import asyncio
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

    def each(self) -> list[bytes]:
        """The documents one by one. No member of an incident is a list of objects and no text holds a bare quotation
        mark, so that what stands between two documents stands nowhere else."""
        return [b'{"%b}' % inside for inside in self.documents[2:-1].split(b'},{"')] if self.documents else []


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
        # One more than is asked for tells whether there are more; it is cut off again.
        placed = [self._dialect.in_place("length(document)", size + 1)]
        placed += [self._dialect.in_place(column, size) for column in _kept(sort)]
        (total, count, documents, surplus, *last), *_ = await database.fetch(
            f"""SELECT ({total}), count(*), {self._dialect.joined}, {", ".join(placed)}
                FROM ({self._rows(where, sort)} LIMIT {size + 1:d}) AS page""",
            *where.args,
        )
        if surplus is None:
            return Page(total, count, documents or b""), None
        return Page(total, size, documents[: -surplus - len(b",")]), last

    async def every(
        self, database: Database, tenant_id: str, wanted: Filter, sort: Sequence[Sort]
    ) -> AsyncIterator[list[bytes]]:
        """All documents that match, by chunks. The next is fetched while one is sent; no connection is held longer."""
        coming = asyncio.create_task(self._chunk(database, tenant_id, wanted, sort, None))
        try:
            while len(rows := await coming) == CHUNK:
                coming = asyncio.create_task(self._chunk(database, tenant_id, wanted, sort, list(rows[-1])[1:]))
                yield [document for document, *_ in rows]
            if rows:
                yield [document for document, *_ in rows]
        finally:
            coming.cancel()

    async def _chunk(
        self, database: Database, tenant_id: str, wanted: Filter, sort: Sequence[Sort], keys: Sequence[Any] | None
    ) -> Sequence[Sequence[Any]]:
        where = self._matching(tenant_id, wanted)
        if keys is not None:
            where.beyond(sort, keys)
        return await database.fetch(f"{self._rows(where, sort)} LIMIT {CHUNK}", *where.args)

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
        columns = ", ".join(("document", *_kept(sort)))
        return f"SELECT {columns} FROM {self._source.incidents} WHERE {where} ORDER BY {order(sort)}"

    def _total(self, where: Conditions, wanted: Filter) -> str:
        if not (self._source.counts and wanted.counted):
            return f"SELECT count(*) AS total FROM {self._source.incidents} WHERE {where}"
        counted = str(where).removesuffix(" AND deleted = 0")
        return f"SELECT CAST(coalesce(sum(n), 0) AS bigint) AS total FROM {self._source.counts} WHERE {counted}"


def _kept(sort: Sequence[Sort]) -> list[str]:
    """The columns by which a place in the order is found again."""
    return [*(by.column for by in sort), "id"]
