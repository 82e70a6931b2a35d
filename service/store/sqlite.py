"""SQLite: the read models' side.

The log and the read models are two files, so that followers do not wait for the log's writer.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

from projections.database import Dialect, Rows, Unavailable
from service.store.sqlite_file import DatabaseFile, commit, rollback
from service.store.sqlite_rows import SqliteRows, fetched, kept

DIALECT = Dialect(
    text="text",
    binary="blob",
    now="((julianday('now') - 2440587.5) * 86400.0)",
    any_of="{column} IN (SELECT value FROM json_each(${argument}))",
    contains="instr({column}, ${argument}) > 0",
    listed="SELECT {columns} FROM json_each(${argument})",
    element="json_extract(value, '$[{place}]')",
    joined="CAST(group_concat(CAST(document AS text)) AS blob)",
    placed="json_extract(json_group_array({of}), '$[{index}]')",
    table_names="SELECT name FROM sqlite_master WHERE type = 'table'",
    column_names="SELECT name FROM pragma_table_info($1) ORDER BY cid",
    # A look by key for each row, in both directions: sorting whole rows of two large tables would fill the disk.
    differing="""SELECT {live_keys} FROM (SELECT * FROM {live} WHERE {where}) AS live
                 LEFT JOIN (SELECT * FROM {built} WHERE {where}) AS built ON {same_key}
                 WHERE ({live_columns}) IS NOT ({built_columns})
                 UNION ALL
                 SELECT {built_keys} FROM (SELECT * FROM {built} WHERE {where}) AS built
                 LEFT JOIN (SELECT * FROM {live} WHERE {where}) AS live ON {same_key}
                 WHERE live.{first} IS NULL""",
    sampled=False,
)


class _TakenBack(Exception):
    """Ends a transaction whose work is not to stay."""


class SqliteDatabase:
    """The read models' file."""

    dialect = DIALECT

    def __init__(self, file: DatabaseFile) -> None:
        self._file = file
        self._one_transaction = asyncio.Lock()

    async def fetch(self, sql: str, *args: Any) -> Sequence[Sequence[Any]]:
        return await self._file.read(lambda connection: fetched(connection, sql, args))

    async def every(self, columns: str, source: str, *args: Any) -> Sequence[Sequence[Any]]:
        return await self._file.read(lambda connection: kept(connection, columns, source, args))

    async def execute(self, sql: str, *args: Any) -> int:
        async with self.transaction() as rows:
            return await rows.execute(sql, *args)

    @asynccontextmanager
    async def transaction(self, *, durable: bool = False) -> AsyncIterator[Rows]:
        async with self._one_transaction, self._file.synced() if durable else nullcontext():
            # All three within `try`: a cancelled wait does not stop what the thread has begun.
            try:
                await self._file.write(lambda connection: connection.execute("BEGIN IMMEDIATE"))
                yield SqliteRows(self._file)
                await self._file.write(commit)
            except asyncio.CancelledError:
                with suppress(Unavailable):
                    await self._file.write(rollback)
                raise
            except BaseException:
                await self._file.write(rollback)
                raise

    @asynccontextmanager
    async def trial(self) -> AsyncIterator[Rows]:
        with suppress(_TakenBack):
            async with self.transaction() as rows:
                yield rows
                raise _TakenBack

    async def build(self, statements: Sequence[str]) -> None:
        for statement in statements:
            await self.execute(statement)

    async def define(self, statements: Sequence[str]) -> None:
        async with self.transaction() as rows:
            for statement in statements:
                await rows.execute(statement)

    async def scrub(self) -> None:
        async with self._one_transaction:
            await self._file.scrub()
