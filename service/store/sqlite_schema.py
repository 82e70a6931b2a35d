"""The file of the log on SQLite: its schema, and the lock that keeps a second service out."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from projections.database import Unavailable
from service.private_files import close_file, create_file, make_folder
from service.store.errors import InUse, NoLog
from service.store.migrations import missing
from service.store.sqlite_away import available
from service.store.sqlite_file import BUSY_SECONDS, commit, rollback


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
    commit(connection)


def holds_a_log(path: Path) -> bool:
    """Whether a schema of any version is there. Raises Unavailable where it is no database, NotOwned."""
    if not path.exists():
        return False
    close_file(path)
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
    """Hold the lock beside a database file. It ends with its holder.

    Raises InUse where another process holds it, NotOwned.
    """
    make_folder(path.parent)
    held = path.with_name(path.name + ".lock")
    create_file(held)
    close_file(held)
    with held.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"{path} is in use by a running service: stop it first") from None
        yield
