"""Tables of a store, altered from outside one column at a time, and put back."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import asyncpg

from projections.read_models import VERSION
from service.settings import Settings

Rows = Sequence[Sequence[Any]]
_COLUMNS_OF_POSTGRES: Final = """SELECT table_name::text, column_name::text, data_type::text
    FROM information_schema.columns WHERE table_schema = 'ims' ORDER BY table_name, ordinal_position"""


_IDS: Final = ("originator_id", "subject_id", "command_id", "log_id", "formerly")


class Column(NamedTuple):
    """`base`: the table as it is called in every generation. `kind`: its type, as this database calls it."""

    table: str
    name: str
    kind: str

    @property
    def base(self) -> str:
        suffix = self.table.removeprefix("audit_tiles")
        return "audit_tiles" if suffix != self.table else self.table.partition(f"_v{VERSION}_")[0]


class Altering:
    """One connection to a store; on SQLite the file of the read models is attached to the log's."""

    def __init__(self, store: Settings, connection: Any) -> None:
        self.store, self._connection = store, connection

    @classmethod
    @asynccontextmanager
    async def open(cls, store: Settings) -> AsyncIterator["Altering"]:
        if store.postgres:
            connection = await asyncpg.connect(store.database_url, server_settings={"search_path": "ims"})
            try:
                yield cls(store, connection)
            finally:
                await connection.close()
            return
        file = sqlite3.connect(store.sqlite_path, isolation_level=None)
        try:
            file.execute("ATTACH ? AS derived", (str(store.read_models_path),))
            yield cls(store, file)
        finally:
            file.close()

    async def sql(self, statement: str) -> Rows:
        if self.store.postgres:
            return [tuple(row) for row in await self._connection.fetch(statement)]
        found: Rows = self._connection.execute(statement).fetchall()
        return found

    async def columns(self) -> list[Column]:
        """Of every table that there is."""
        if self.store.postgres:
            return [Column(*row) for row in await self.sql(_COLUMNS_OF_POSTGRES)]
        tables = [
            name
            for schema in ("main", "derived")
            for (name,) in await self.sql(
                f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
            )
        ]
        return [
            Column(table, name, kind.lower())
            for table in tables
            for _, name, kind, *_ in await self.sql(f"PRAGMA table_info({table})")
        ]

    @asynccontextmanager
    async def put_back(self, table: str) -> AsyncIterator[None]:
        """Whatever becomes of its rows meanwhile."""
        temporary = "TEMPORARY TABLE kept"
        await self.sql(f"CREATE {temporary} AS SELECT * FROM {table}")
        try:
            yield
        finally:
            await self.sql(f"DELETE FROM {table}")
            await self.sql(f"INSERT INTO {table} SELECT * FROM kept")
            await self.sql("DROP TABLE kept")

    def other(self, column: Column) -> str:
        """Another value of the column, as an expression."""
        name, kind = column.name, column.kind
        if kind == "uuid":
            return "gen_random_uuid()"
        if kind == "boolean":
            return f"NOT {name}"
        if kind.startswith("timestamp"):
            return f"{name} + interval '1 microsecond'"
        if kind in ("bytea", "blob"):
            return f"{name} || '\\x00'::bytea" if kind == "bytea" else f"CAST({name} || x'20' AS blob)"
        if (
            kind == "text"
            and not self.store.postgres
            and name in ("originator_id", "subject_id", "command_id", "log_id")
        ):
            return "lower(hex(randomblob(16)))"
        if kind == "text":
            return f"{name} || 'x'"
        return f"1 - {name}" if name in ("deleted", "retired", "backdated", "restored") else f"{name} + 1000"
