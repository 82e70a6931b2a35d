"""A database file of SQLite: one thread that writes, several that read, each with a connection of its own."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal, TypeVar

import structlog

from projections.database import Unavailable
from service.private_files import close_file, create_file
from service.store.sqlite_away import available, code_of, is_damage
from service.store.threads import Threads

READERS = 4
"""Threads that read one file."""
READ_SECONDS = 5.0
"""How long a tenant's read may take, the wait for a thread included, unless it is told otherwise."""
BUSY_SECONDS = 5.0
"""How long a statement waits for another process's lock."""
WRITE_AHEAD_PAUSE_SECONDS = 0.01
"""Between two tries to write ahead of a new file."""
SCRUB_SECONDS = 5.0
"""How long a scrub waits for other processes that still read what was there before."""
SCRUB_PAUSE_SECONDS = 0.1
MAX_REWRITTEN = 256 * 2**20
"""Bytes of a file that is written anew after an erasure. Nothing else is written meanwhile: about a second."""

BESIDE = ("-wal", "-shm")
"""Ends of the names of what SQLite keeps beside a file while somebody has it open."""

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")


class DatabaseFile:
    """One file: a writer thread, reader threads, a connection for each.

    `timeout`: seconds that a tenant's read may take. A read that nobody waits for any more is interrupted.
    """

    def __init__(self, path: Path, synchronous: Literal["FULL", "NORMAL"], timeout: float = READ_SECONDS) -> None:
        self.path = path
        self._synchronous = synchronous
        self._writer = Threads(1, f"{path.stem}-writer")
        self._readers = Threads(READERS, f"{path.stem}-reader", self._interrupt, timeout)
        self._local = threading.local()
        self._by_thread: dict[int, sqlite3.Connection] = {}
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
        """Raises TookTooLong."""
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

    def _interrupt(self, thread: int) -> None:
        connection = self._by_thread.get(thread)
        if connection is not None:
            with suppress(sqlite3.ProgrammingError):  # it has just been closed
                connection.interrupt()

    def _look(self) -> None:
        """Raises Unavailable where another file than the one that was opened is at its place, or none."""
        if self._opened is not None and _which(self.path) != self._opened:
            raise Unavailable(f"{self.path} is not the file any more that was opened: put it back, or start again")

    def _close_to_others(self) -> None:
        """What SQLite makes beside the file has its mode. Raises Unavailable where one belongs to another user."""
        try:
            create_file(self.path)
            for path in (self.path, *(self.path.with_name(self.path.name + end) for end in BESIDE)):
                close_file(path)
        except OSError as error:
            raise Unavailable(str(error)) from error

    def _disconnect(self) -> None:
        connection, self._local.connection = getattr(self._local, "connection", None), None
        if connection is not None:
            del self._by_thread[threading.get_ident()]
            self._connections.remove(connection)
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            self._look()
            self._close_to_others()
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
            self._local.connection = self._by_thread[threading.get_ident()] = connection
            self._connections.append(connection)
        return connection


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


def commit(connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


def rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
