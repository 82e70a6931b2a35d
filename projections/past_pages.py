"""Lists of the past that are streamed whole: each version is looked at once, however many were superseded since.

An incident's `created_at` is the same in all its versions. So the incidents there are by now give the order, by their
index, and of some hundreds of them at a time the versions that held are found by their ids.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from projections.database import Database, Dialect
from projections.leaves import microseconds_of
from projections.listing import Conditions, Filter, Sort, order
from projections.pages import CHUNK, Pages, Source

BORN: Final = "created_at"


class Born:
    """The incidents there are by now, in the table of the newest versions, as they were reported up to a time."""

    def __init__(self, dialect: Dialect, newest: str, at: datetime, *, deleted_since: bool) -> None:
        self._dialect, self._newest, self._at = dialect, newest, microseconds_of(at)
        self._deleted = (0, 1) if deleted_since else (0,)

    async def beyond(
        self, database: Database, tenant_id: str, wanted: Filter, by: Sort, key: int | None
    ) -> Sequence[Sequence[Any]]:
        """Ids and keys of the next ones after the one with that key, at most CHUNK."""
        where = Conditions(self._dialect, tenant_id)
        where.narrow(Filter(ranges=[one for one in wanted.ranges if one[0] == BORN]), "")
        where.add(f"{BORN} <= {{}}", self._at)
        if key is not None:
            where.beyond((by,), (key,))
        # Each half by an index of its own: no planner is asked to find out that both together are in order.
        halves = (
            f"""SELECT * FROM (SELECT id, {BORN} FROM {self._newest} WHERE {where} AND deleted = {deleted}
                               ORDER BY {order((by,))} LIMIT {CHUNK}) AS half_{deleted}"""
            for deleted in self._deleted
        )
        return await database.fetch(f"{' UNION ALL '.join(halves)} ORDER BY {order((by,))} LIMIT {CHUNK}", *where.args)


class PastPages(Pages):
    """`by_id` is the same as `source`, and has no index for lists."""

    def __init__(self, dialect: Dialect, source: Source, by_id: Source, born: Born) -> None:
        super().__init__(dialect, source)
        self._by_id, self._born = Pages(dialect, by_id), born

    async def every(
        self, database: Database, tenant_id: str, wanted: Filter, sort: Sequence[Sort]
    ) -> AsyncIterator[list[bytes]]:
        if sort[0].column != BORN:
            async for documents in super().every(database, tenant_id, wanted, sort):
                yield documents
            return
        key: int | None = None
        while True:
            born = await self._born.beyond(database, tenant_id, wanted, sort[0], key)
            if documents := await self._by_id.among(database, tenant_id, wanted, sort, [id for id, _ in born]):
                yield documents
            if len(born) < CHUNK:
                return
            key = born[-1][1]
