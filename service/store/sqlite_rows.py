"""Statements as the read models make them, on a connection to SQLite."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import orjson

ROWS_AT_ONCE = 50
"""Rows that one statement inserts where there are many."""
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


def _many(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Many rows a statement: while it runs, and not for each row again, other threads may do what they have to."""
    at_once = _at_once(sql) if len(rows) >= ROWS_AT_ONCE else None
    done = 0
    while at_once is not None and done + ROWS_AT_ONCE <= len(rows):
        connection.execute(at_once, [value for row in rows[done : done + ROWS_AT_ONCE] for value in row])
        done += ROWS_AT_ONCE
    connection.executemany(_numbered(sql), rows[done:])


@lru_cache(maxsize=1024)
def _at_once(sql: str) -> str | None:
    """The same statement for many rows; None where it does not insert them just as they are given."""
    found = _VALUES.search(sql)
    if found is None or "$" in sql[found.end() :]:
        return None
    row = f"({', '.join('?' * found[0].count('$'))})"
    return f"{sql[: found.start()]}VALUES {', '.join([row] * ROWS_AT_ONCE)}{sql[found.end() :]}"


@lru_cache(maxsize=1024)
def _numbered(sql: str) -> str:
    return re.sub(r"\$(\d+)", r"?\1", sql)


def _bound(args: Sequence[Any]) -> list[Any]:
    return [orjson.dumps(arg).decode() if isinstance(arg, list) else arg for arg in args]
