"""SQLite: threads for a database file, the schema, the lock that keeps a second service out, and the read models' side.

The log and the read models are two files, so that followers do not wait for the log's writer. Each file has one writer
thread; reads run in threads of their own on snapshots.
"""

import asyncio
import fcntl
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

import structlog

from projections.database import Dialect, Rows, Unavailable
from service.store.log import InUse, NoLog
from service.store.migrations import missing
from service.store.sqlite_away import available, code_of, is_damage
from service.store.sqlite_rows import SqliteRows, fetched, kept
from service.store.threads import Threads

READERS = 4
"""Threads that read one file."""
BUSY_SECONDS = 5.0
"""How long a statement waits for another process's lock."""

DIALECT = Dialect(
    text="text",
    binary="blob",
    now="((julianday('now') - 2440587.5) * 86400.0)",
    any_of="{column} IN (SELECT value FROM json_each(${argument}))",
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

WRITE_AHEAD_PAUSE_SECONDS = 0.01
SCRUB_SECONDS = 5.0
"""How long a scrub waits for other processes that still read what was there before."""
SCRUB_PAUSE_SECONDS = 0.1
MAX_REWRITTEN = 256 * 2**20
"""Bytes of a file that is written anew after an erasure. Nothing else is written meanwhile: about a second."""

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")


class _TakenBack(Exception):
    """Ends a transaction whose work is not to stay."""


class DatabaseFile:
    """One file: a writer thread, reader threads, a connection for each."""

    def __init__(self, path: Path, synchronous: Literal["FULL", "NORMAL"]) -> None:
        self.path = path
        self._synchronous = synchronous
        self._writer = Threads(1, f"{path.stem}-writer")
        self._readers = Threads(READERS, f"{path.stem}-reader")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._opened: tuple[int, int] | None = None
        """Which file it is, once there is a connection; None for one that can be made again."""

    async def write(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Raises Unavailable too where the file is not there any more: what was written would go with its last user."""

        def written(connection: sqlite3.Connection) -> _Result:
            result = work(connection)
            self._look()
            return result

        return await self._run(self._writer, written)

    @asynccontextmanager
    async def synced(self) -> AsyncIterator[None]:
        """Transactions begun and ended within are on disk when they are committed, whatever the file's own level."""
        await self.write(lambda connection: connection.execute("PRAGMA synchronous = FULL"))
        try:
            yield
        finally:
            await self.write(lambda connection: connection.execute(f"PRAGMA synchronous = {self._synchronous}"))

    async def read(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        return await self._run(self._readers, work)

    async def scrub(self) -> None:
        """After an erasure: neither the file nor what stands beside it holds the content any longer.

        Pages that SQLite has rearranged may hold copies of rows in their unused parts, so all are written anew.
        """
        if self.path.stat().st_size <= MAX_REWRITTEN:
            await self.write(lambda connection: connection.execute("VACUUM"))
        else:
            _log.warning("file_too_large_to_rewrite", file=str(self.path), limit=MAX_REWRITTEN)
        await self.truncate()

    async def truncate(self) -> None:
        """Empty the write-ahead log, whose old pages hold what has gone from the file."""
        end = time.monotonic() + SCRUB_SECONDS
        while await self.write(_truncate):
            if time.monotonic() > end:
                _log.warning("file_still_read_by_others", file=str(self.path))
                return
            await asyncio.sleep(SCRUB_PAUSE_SECONDS)

    def close(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        for connection in self._connections:
            connection.close()

    async def _run(self, threads: Threads, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        def job() -> _Result:
            with available():
                try:
                    return work(self._connection())
                except sqlite3.DatabaseError as error:
                    if is_damage(error):  # the connection keeps what it has read, also when that is repaired
                        self._disconnect()
                    raise

        return await threads.run(job)

    def _look(self) -> None:
        """Raises Unavailable where another file than the one that was opened is at its place, or none."""
        if self._opened is not None and _which(self.path) != self._opened:
            raise Unavailable(f"{self.path} is not the file any more that was opened: put it back, or start again")

    def _disconnect(self) -> None:
        connection, self._local.connection = getattr(self._local, "connection", None), None
        if connection is not None:
            self._connections.remove(connection)
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            self._look()
            connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            try:
                _write_ahead(connection)
            except sqlite3.DatabaseError as error:
                connection.close()
                raise Unavailable(f"{self.path}: {error}") from error
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute("PRAGMA secure_delete = ON")  # what is erased is written over with zeros
            if self._synchronous == "FULL":
                self._opened = _which(self.path)
            self._local.connection = connection
            self._connections.append(connection)
        return connection


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
                await self._file.write(_commit)
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


def migrate(connection: sqlite3.Connection) -> None:
    """Create or upgrade the log's schema. Raises SchemaTooNew, NoLog where the file is somebody else's."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _version(connection)
        for number, sql in enumerate(missing("sqlite", found), start=found + 1):
            for statement in sql.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        rollback(connection)
        raise
    _commit(connection)


def holds_a_log(path: Path) -> bool:
    """Whether a schema of any version is there. Raises Unavailable where it is no database."""
    if not path.exists():
        return False
    try:
        with available(), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            return bool(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"{path}: {error}") from error


def _version(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if not found and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise NoLog("the database holds tables of something else: take a file of its own for the log")
    return found


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold the lock beside a database file. Raises InUse where another process holds it; it ends with its holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"{path} is in use by a running service: stop it first") from None
        yield


def _which(path: Path) -> tuple[int, int] | None:
    """Tells a file from all others that there are; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _write_ahead(connection: sqlite3.Connection) -> None:
    """SQLite does not wait where another connection makes this very change to a new file."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if code_of(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(WRITE_AHEAD_PAUSE_SECONDS)
        else:
            return


def _truncate(connection: sqlite3.Connection) -> bool:
    """Whether it could not be done, because somebody still reads what is there."""
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")


def _commit(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


def rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
