"""PostgreSQL: the schema, and the read models' side of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import asyncpg

from projections.database import Dialect, Rows, Unavailable
from service.cancelled import raise_if_cancelled
from service.store import postgres_conditions
from service.store.away import available, of_another_session
from service.store.conditions import Finding, require
from service.store.connections import DERIVED, Connections
from service.store.errors import NoLog, RightMissing, Unreachable, Unsuitable
from service.store.json_rows import json_rows
from service.store.migrations import missing, rights
from service.store.primary import Primary
from service.store.session import SETTINGS

COPIED_ROWS = 200
"""From so many on COPY is quicker, which asks for the columns' types first."""
COPIED_BYTES = 100_000
"""Bytes of documents from which on it is too: as JSON they would be twice as long, and read twice."""
LONG_SECONDS = 3600.0
"""What a statement may take that goes over whole tables."""

# Who owns what is derived, or shall own it: the owner of the schema makes tables for the service as that would.
_ROLE = """SELECT role FROM (
               SELECT coalesce(
                   (SELECT tableowner FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'followers'),
                   (SELECT rolname FROM pg_roles WHERE rolname = current_schema() || '_service')) AS role) AS owner
           WHERE role <> current_user AND has_schema_privilege(role, current_schema(), 'CREATE') AND pg_has_role(
               role, CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END)"""

_VALUES = re.compile(r"VALUES \(\$1[$\d, ]*\)")

DIALECT = Dialect(
    text='text COLLATE "C"',
    binary="bytea",
    now="extract(epoch from clock_timestamp())::double precision",
    any_of="{column} = ANY(${argument})",
    # LIKE, of which the planner expects few rows; of `strpos` a third, for which it would walk an index row by row. No
    # backslash in the statement: what one means is a setting of the session.
    contains="{column} LIKE '%' || replace(${argument}, '_', chr(92) || '_') || '%'",
    listed="SELECT {columns} FROM json_array_elements(${argument})",
    element="value ->> {place}",
    joined="string_agg(document, ','::bytea)",
    placed="(array_agg({of}))[{place}]",
    table_names="SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()",
    column_names="""SELECT column_name::text FROM information_schema.columns
                    WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position""",
    # By hashes: whole rows of two large tables fit into no memory, and are compared nowhere but within one row.
    differing="""WITH live AS MATERIALIZED (
                     SELECT {keys}, hash_record_extended(one, 0) AS print FROM {live} AS one WHERE {where}),
                 built AS MATERIALIZED (
                     SELECT {keys}, hash_record_extended(one, 0) AS print FROM {built} AS one WHERE {where})
                 SELECT {keys} FROM live FULL JOIN built USING ({keys})
                 WHERE live.print IS DISTINCT FROM built.print""",
    sampled=True,
)


class Postgres:
    """A bounded pool for reads and followers. `timeout` in seconds bounds each wait for a connection or an answer."""

    dialect = DIALECT

    def __init__(self, url: str, schema: str, pool: int, timeout: float) -> None:
        self.schema = schema
        self.primary = Primary(url, schema, timeout)
        self._connections = Connections(self.primary, pool, timeout)

    def on_loss(self, lost: Callable[[], None]) -> None:
        """Call it when a connection ends: after a crash the read models may be behind what they were."""
        self._connections.lost = lost

    def pool_use(self) -> Mapping[str, int]:
        return self._connections.use()

    async def open(self, *, existing: bool = False, writing: bool = True) -> None:
        """Create or upgrade the schema, on a connection of its own. `existing`: do not create it. `writing`: refuse a
        database that is not as it must be; who only reads needs no more than sessions.

        Raises Unreachable, SchemaTooNew, RightMissing, NoLog, Unsuitable.
        """
        try:
            connection = await self.primary.connect()
            try:
                findings = await postgres_conditions.look(connection, self.primary.settings(), self._another)
                sessions = [one for one in findings if one.condition is postgres_conditions.SESSIONS]
                require(findings if writing else sessions)
                with available():
                    await self._migrate(connection, existing=existing)
                    self._connections.role = await connection.fetchval(_ROLE)
            finally:
                connection.terminate()
        except RightMissing as error:
            hint = "let `ims migrate` be run by the schema's owner first"
            raise RightMissing(f"PostgreSQL: {error.__cause__}; {hint}") from error
        except (Unavailable, asyncpg.PostgresError, ValueError, OverflowError) as error:
            if of_another_session(error.__cause__):
                raise Unsuitable(postgres_conditions.shared().text) from error
            raise Unreachable(f"PostgreSQL cannot be used: {error}") from error

    async def look(self) -> list[Finding]:
        """Whether it still is as it must be. Raises Unavailable."""
        wanted = self.primary.settings({**SETTINGS, **DERIVED})
        async with self._connections.lend() as connection:
            findings = await postgres_conditions.look(connection, wanted, self._another)
        if not all(one.met for one in findings if one.condition in postgres_conditions.OF_SESSIONS):
            self.primary.drop()
        return findings

    def close(self) -> None:
        self._connections.close()

    async def fetch(self, sql: str, *args: Any) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = await self._connections.fetch(sql, *args)
        return rows

    async def every(self, columns: str, source: str, *args: Any) -> Sequence[Sequence[Any]]:
        return await self.fetch(f"SELECT {columns} FROM {source}", *args)  # noqa: S608 - names of our own

    async def execute(self, sql: str, *args: Any) -> int:
        async with self._connections.lend() as connection:
            return _hit(await connection.execute(sql, *args))

    @asynccontextmanager
    async def transaction(self, *, durable: bool = False) -> AsyncIterator[Rows]:
        async with self._connections.lend() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                if durable:
                    await _make_durable(connection)
                yield PostgresRows(connection)
            except asyncio.CancelledError:
                raise  # nothing more is asked of the server: the connection ends, and takes back what was done
            except BaseException:
                if not connection.is_closed():
                    await transaction.rollback()
                raise
            await transaction.commit()

    @asynccontextmanager
    async def trial(self) -> AsyncIterator[Rows]:
        async with self._connections.lend() as connection:
            transaction = connection.transaction(isolation="repeatable_read")
            await transaction.start()
            try:
                yield PostgresRows(connection, LONG_SECONDS)
            except asyncio.CancelledError:
                connection.terminate()
                raise
            finally:
                if not connection.is_closed():
                    await transaction.rollback()

    async def build(self, statements: Sequence[str]) -> None:
        async with self._connections.lend() as connection:
            for statement in statements:
                await connection.execute(statement, timeout=LONG_SECONDS)

    async def define(self, statements: Sequence[str]) -> None:
        async with self._connections.lend() as connection, connection.transaction():
            await _lock_definitions(connection)
            await _make_durable(connection)
            for statement in statements:
                await connection.execute(statement)

    async def scrub(self) -> None:
        """The server's files are an operator's: VACUUM FULL locks whole tables."""

    @asynccontextmanager
    async def _another(self) -> AsyncIterator[Any]:
        connection = await self.primary.connect()
        try:
            yield connection
        finally:
            connection.terminate()

    async def _migrate(self, connection: Any, *, existing: bool) -> None:
        found = await _version(connection)
        if existing and not found:
            where = "IMS_DATABASE_URL or IMS_DATABASE_SCHEMA names another place"
            raise NoLog(f"there is no log in the schema {self.schema}: {where}")
        if not missing("postgres", found):
            return  # whoever only uses the schema may not be allowed to make one
        async with connection.transaction():
            await _lock_definitions(connection)
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
            await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)")
            found = await _version(connection)
            for number, sql in enumerate(missing("postgres", found), start=found + 1):
                await connection.execute(sql.replace("{schema}", self.schema))
                await connection.execute("INSERT INTO schema_version VALUES ($1)", number)
            await connection.execute(rights().replace("{schema}", self.schema))


class PostgresRows:
    _at_once: ClassVar[dict[str, tuple[str, list[str]]]] = {}
    """For each statement that inserts one row, the one that inserts many and its columns; a few for each read model."""

    def __init__(self, connection: Any, timeout: float | None = None) -> None:
        self._connection, self._timeout = connection, timeout

    async def fetch(self, sql: str, *args: Any) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = await self._connection.fetch(sql, *args, timeout=self._timeout)
        return rows

    async def execute(self, sql: str, *args: Any) -> int:
        return _hit(await self._connection.execute(sql, *args, timeout=self._timeout))

    async def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        if sql not in self._at_once:
            self._at_once[sql] = _at_once(sql, (await self._connection.prepare(sql)).get_parameters())
        at_once, columns = self._at_once[sql]
        if at_once == sql:
            await self._connection.executemany(sql, rows)
            raise_if_cancelled()  # the driver forgets it where it happens while it sends
        else:
            await self._connection.execute(at_once, json_rows(columns, rows))

    async def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) >= COPIED_ROWS or _documents(rows) >= COPIED_BYTES:
            await self._connection.copy_records_to_table(table, records=rows)
        elif rows:
            marks = ", ".join(f"${place}" for place in range(1, len(rows[0]) + 1))
            await self.many(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - names of our own


def _documents(rows: Sequence[Sequence[Any]]) -> int:
    """Bytes of them in these rows."""
    return sum(len(value) for row in rows for value in row if type(value) is bytes)


def _at_once(sql: str, parameters: Sequence[Any]) -> tuple[str, list[str]]:
    """One statement for all rows instead of one execution a row, and the names that their columns have in it."""
    columns = [f"c{place}" for place in range(1, len(parameters) + 1)]
    typed = ", ".join(f"{column} {parameter.name}" for column, parameter in zip(columns, parameters, strict=True))
    return _VALUES.sub(f"SELECT * FROM json_to_recordset($1) AS row ({typed})", sql, count=1), columns  # noqa: S608 - the server names the types


async def _version(connection: Any) -> int:
    if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
        return 0
    return await connection.fetchval("SELECT max(version) FROM schema_version") or 0


async def _lock_definitions(connection: Any) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(1229804852)")


async def _make_durable(connection: Any) -> None:
    """This transaction, on a connection for what is derived; what was committed before is then on disk too."""
    await connection.execute("SET LOCAL synchronous_commit = on")


def _hit(status: str) -> int:
    return int(status.rpartition(" ")[2])
