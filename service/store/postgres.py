"""PostgreSQL: connections, the schema, and the read models' side of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import asyncpg
import structlog

from projections.database import Dialect, Rows, Unavailable
from service.store.log import Unreachable
from service.store.migrations import missing

SETTINGS = {
    "application_name": "ims",
    "jit": "off",
    "timezone": "UTC",
    # Whoever waited for the append's lock must see what its last holder committed.
    "default_transaction_isolation": "read committed",
}
BELL_SECONDS = 0.02
"""Least time between two bells of one channel from one process."""
RECONNECT_SECONDS = 0.5

_log = structlog.get_logger(__name__)

_AWAY = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InternalClientError,
)

DIALECT = Dialect(
    text='text COLLATE "C"',
    binary="bytea",
    now="extract(epoch from clock_timestamp())::double precision",
    any_of="{column} = ANY(${argument})",
)


@contextmanager
def available(kind: type[Unavailable] = Unavailable) -> Iterator[None]:
    """Turn every way in which the server can be away into one."""
    try:
        yield
    except _AWAY as error:
        if isinstance(error, ValueError):  # an argument of the wrong kind, which asyncpg files under its own state
            raise
        raise kind(f"{type(error).__name__}: {error}") from error


async def connect(url: str, schema: str, timeout: float) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection outside the pool. Raises Unreachable."""
    with available(Unreachable):
        return await asyncpg.connect(
            url, timeout=timeout, command_timeout=timeout, server_settings={**SETTINGS, "search_path": schema}
        )


class Postgres:
    """A bounded pool for reads and followers. `timeout` in seconds bounds each wait for a connection or an answer."""

    dialect = DIALECT

    def __init__(self, url: str, schema: str, pool: int, timeout: float) -> None:
        self.url, self.schema, self.timeout = url, schema, timeout
        self._size = pool
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Create or upgrade the schema, then open the pool. Raises Unreachable, SchemaTooNew."""
        connection = await connect(self.url, self.schema, self.timeout)
        try:
            with available():
                await self._migrate(connection)
                await _warn_of_lost_commits(connection)
        finally:
            connection.terminate()
        self._pool = asyncpg.create_pool(
            self.url,
            min_size=0,
            max_size=self._size,
            timeout=self.timeout,
            command_timeout=self.timeout,
            server_settings={**SETTINGS, "search_path": self.schema},
            reset=_leave_as_is,
        )
        await self._pool

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    async def fetch(self, sql: str, *args: Any) -> Sequence[Sequence[Any]]:
        async with self.connection() as connection:
            rows: Sequence[Sequence[Any]] = await connection.fetch(sql, *args)
            return rows

    async def execute(self, sql: str, *args: Any) -> int:
        async with self.connection() as connection:
            return _hit(await connection.execute(sql, *args))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Rows]:
        async with self.connection() as connection, connection.transaction():
            yield PostgresRows(connection)

    async def define(self, statements: Sequence[str]) -> None:
        async with self.connection() as connection, connection.transaction():
            await _lock_definitions(connection)
            for statement in statements:
                await connection.execute(statement)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        if self._pool is None:
            raise Unreachable("not open")
        with available():
            async with self._pool.acquire(timeout=self.timeout) as connection:
                yield connection

    async def _migrate(self, connection: Any) -> None:
        async with connection.transaction():
            await _lock_definitions(connection)
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
            await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)")
            found = await connection.fetchval("SELECT max(version) FROM schema_version") or 0
            for number, sql in enumerate(missing("postgres", found), start=found + 1):
                await connection.execute(sql.replace("{schema}", self.schema))
                await connection.execute("INSERT INTO schema_version VALUES ($1)", number)


class PostgresRows:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *args: Any) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = await self._connection.fetch(sql, *args)
        return rows

    async def execute(self, sql: str, *args: Any) -> int:
        return _hit(await self._connection.execute(sql, *args))

    async def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        await self._connection.executemany(sql, rows)


class Bells:
    """Wakes other processes by NOTIFY, after the commit and on a connection of its own, and is woken by theirs.

    Losing a bell costs a second: whoever waits also looks by itself.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._heard: dict[str, Callable[[str], None]] = {}
        self._pending: dict[str, str] = {}
        self._wanted = asyncio.Event()

    def on(self, channel: str, heard: Callable[[str], None]) -> None:
        self._heard[self._name(channel)] = heard

    def ring(self, channel: str, word: str) -> None:
        """Only the newest word of a channel is sent."""
        self._pending[self._name(channel)] = word
        self._wanted.set()

    async def run(self) -> None:
        while True:
            with suppress(Unavailable):
                connection = await connect(self._postgres.url, self._postgres.schema, self._postgres.timeout)
                try:
                    with available():
                        await self._talk(connection)
                finally:
                    connection.terminate()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _talk(self, connection: Any) -> None:
        for channel, heard in self._heard.items():
            await connection.add_listener(channel, lambda _c, _pid, _ch, word, heard=heard: heard(word))
        connection.add_termination_listener(lambda _c: self._wanted.set())
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            pending, self._pending = self._pending, {}
            if connection.is_closed():
                return
            for channel, word in pending.items():
                await connection.execute("SELECT pg_notify($1, $2)", channel, word)
            await asyncio.sleep(BELL_SECONDS)

    def _name(self, channel: str) -> str:
        return f"{self._postgres.schema}_{channel}"


async def _lock_definitions(connection: Any) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(1229804852)")


async def _warn_of_lost_commits(connection: Any) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        if await connection.fetchval(f"SHOW {setting}") == "off":
            _log.warning("database_may_lose_commits", setting=setting, value="off")


async def _leave_as_is(_connection: Any) -> None:
    """Nothing here changes a session's state, so the pool need not spend a round trip on resetting it."""


def _hit(status: str) -> int:
    return int(status.rpartition(" ")[2])
