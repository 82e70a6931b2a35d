"""Pages of incidents, each of one snapshot, from whatever stands for their table: what they are, or what they were."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from projections.database import Database, Dialect
from projections.listing import Conditions, Filter, Sort, order

CHUNK = 500
"""Incidents read at once when all are streamed, where they are small."""
FIRST = 100
"""The same at first, while it is not known how large they are."""
GROWTH = 5
"""Times as many as before, at most."""
PAGE_BYTES = 4 * 2**20
"""Of documents that are in memory for one answer, a single larger one apart."""


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
        offset: int = 0,
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
                FROM ({self._rows(where, sort)} LIMIT {size + 1:d} OFFSET {offset:d}) AS page""",
            *where.args,
        )
        if surplus is None:
            return Page(total, count, documents or b""), None
        return Page(total, size, documents[: -surplus - len(b",")]), last

    async def sizes(
        self,
        database: Database,
        tenant_id: str,
        wanted: Filter,
        sort: Sequence[Sort],
        size: int,
        keys: Sequence[Any] | None = None,
        offset: int = 0,
    ) -> list[int]:
        """Bytes of each document of such a page."""
        where = self._matching(tenant_id, wanted)
        if keys is not None:
            where.beyond(sort, keys)
        rows = f"{self._rows(where, sort)} LIMIT {size:d} OFFSET {offset:d}"
        return [n for (n,) in await database.fetch(f"SELECT length(document) FROM ({rows}) AS page", *where.args)]

    async def in_parts(
        self,
        database: Database,
        tenant_id: str,
        wanted: Filter,
        sort: Sequence[Sort],
        sizes: Sequence[int],
        offset: int,
    ) -> AsyncIterator[list[bytes]]:
        """The documents of a page that is too large to be in memory, whose sizes these are, a few at a time."""
        keys: Sequence[Any] | None = None
        while sizes:
            number = fitting(sizes)
            page, keys = await self.page_beyond(database, tenant_id, wanted, sort, number, keys, offset)
            if page.count:
                yield page.each()
            if keys is None:
                return
            sizes, offset = sizes[number:], 0

    async def every(
        self, database: Database, tenant_id: str, wanted: Filter, sort: Sequence[Sort]
    ) -> AsyncIterator[list[bytes]]:
        """All documents that match, by chunks. The next is fetched while one is sent; no connection is held longer."""
        number = min(CHUNK, FIRST)
        coming = asyncio.create_task(self._chunk(database, tenant_id, wanted, sort, None, number))
        try:
            while len(rows := await coming) == number:
                # As large as those before, the next ones would be of so many bytes.
                number = _number(sum(len(row[0]) for row in rows), number)
                coming = asyncio.create_task(self._chunk(database, tenant_id, wanted, sort, list(rows[-1])[1:], number))
                yield [document for document, *_ in rows]
            if rows:
                yield [document for document, *_ in rows]
        finally:
            coming.cancel()

    async def _chunk(
        self,
        database: Database,
        tenant_id: str,
        wanted: Filter,
        sort: Sequence[Sort],
        keys: Sequence[Any] | None,
        number: int,
    ) -> Sequence[Sequence[Any]]:
        where = self._matching(tenant_id, wanted)
        if keys is not None:
            where.beyond(sort, keys)
        return await database.fetch(f"{self._rows(where, sort)} LIMIT {number:d}", *where.args)

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


def fitting(sizes: Sequence[int]) -> int:
    """How many of the first make PAGE_BYTES, one at least."""
    room = PAGE_BYTES
    for number, size in enumerate(sizes):
        room -= size
        if room < 0:
            return max(1, number)
    return len(sizes)


def _number(size: int, rows: int) -> int:
    """How many rows are read next, after so many that were of this size."""
    return max(1, min(CHUNK, PAGE_BYTES * rows // max(1, size), GROWTH * rows))


def _kept(sort: Sequence[Sort]) -> list[str]:
    """The columns by which a place in the order is found again."""
    return [*(by.column for by in sort), "id"]
