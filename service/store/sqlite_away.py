"""What it looks like when SQLite cannot get at its file, or finds it damaged."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from projections.database import Unavailable

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_AWAY = _DAMAGED | {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT,
}  # fmt: skip
_PRIMARY_CODE = 0xFF


@contextmanager
def available() -> Iterator[None]:
    """Turn every way in which the file can be away into one."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if code_of(error) in _AWAY:
            raise Unavailable(str(error)) from error
        raise


def is_damage(error: sqlite3.Error) -> bool:
    return code_of(error) in _DAMAGED


def code_of(error: sqlite3.Error) -> int:
    """What the driver itself complains of, a text that is none, say, has none."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & _PRIMARY_CODE
