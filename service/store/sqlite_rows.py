"""Statements as the read models make them, on a connection to SQLite."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol, TypeVar

import orjson

MAX_VALUES = 32_766
"""Values that one statement may be given; so many since SQLite 3.32."""
_VALUES = re.compile(r"VALUES \(\$1(?:, \$\d+)*\)")
_Result = TypeVar("_Result")


class Writing(Protocol):
    """Has work done by the one thread that writes."""

    async def write(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result: ...


class SqliteRows:
    def __init__(self, file: Writing) -> None:
        self._file = file

    async def fetch(self, sql: str, *args: Any) -> Sequence[Sequence[Any]]:
        return await self._file.write(lambda connection: fetched(connection, sql, args))

    async def execute(self, sql: str, *args: Any) -> int:
        return await self._file.write(lambda connection: connection.execute(_numbered(sql), _bound(args)).rowcount)

    async def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        await self._file.write(lambda connection: _many(connection, sql, list(rows)))

    async def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            marks = ", ".join(f"${place}" for place in range(1, len(rows[0]) + 1))
            await self.many(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - names of our own


def fetched(connection: sqlite3.Connection, sql: str, args: Sequence[Any]) -> Sequence[Sequence[Any]]:
    return connection.execute(_numbered(sql), _bound(args)).fetchall()


def kept(connection: sqlite3.Connection, columns: str, source: str, args: Sequence[Any]) -> list[tuple[Any, ...]]:
    """`SELECT columns FROM source`, in whatever order: by a function that is called with each row. Of rows that are
    fetched, the driver lets go of the interpreter's lock at every column; of those that are kept, once a row."""
    rows: list[tuple[Any, ...]] = []
    connection.create_function("keep", -1, lambda *row: rows.append(row))
    try:
        connection.execute(f"SELECT count(keep({columns})) FROM {_numbered(source)}", _bound(args)).fetchone()  # noqa: S608 - names of our own
    finally:
        connection.create_function("keep", -1, None)
    return rows


def _many(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """As many rows a statement as can be: while it runs, and not for each row again, other threads may do what they
    have to. By powers of two, so that there are few different statements to keep."""
    if _row_of(sql) is None:
        connection.executemany(_numbered(sql), rows)
        return
    done = 0
    while done < len(rows):
        at_once = 1 << min(len(rows) - done, MAX_VALUES // len(rows[done])).bit_length() - 1
        part = rows[done : done + at_once]
        connection.execute(_at_once(sql, at_once), list(chain.from_iterable(part)))
        done += at_once


@lru_cache(maxsize=1024)
def _row_of(sql: str) -> re.Match[str] | None:
    """What stands for a row in it; None where it does not insert the values just as they are given."""
    found = _VALUES.search(sql)
    return None if found is None or "$" in sql[found.end() :] else found


@lru_cache(maxsize=1024)
def _at_once(sql: str, rows: int) -> str:
    """The same statement for so many rows."""
    found = _row_of(sql)
    if found is None:
        raise ValueError("it inserts no rows")
    row = f"({', '.join('?' * found[0].count('$'))})"
    return f"{sql[: found.start()]}VALUES {', '.join([row] * rows)}{sql[found.end() :]}"


@lru_cache(maxsize=1024)
def _numbered(sql: str) -> str:
    return re.sub(r"\$(\d+)", r"?\1", sql)


def _bound(args: Sequence[Any]) -> list[Any]:
    return [orjson.dumps(arg).decode() if isinstance(arg, list) else arg for arg in args]
