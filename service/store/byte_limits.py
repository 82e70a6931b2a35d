"""Rows of the log, none more once their content is of so many bytes: as each engine does it best."""

import sqlite3
from functools import cache
from typing import Any

from service.store.log import size_of

_NAMES = "position, originator_id, version, topic, state, tenant_id, subject_id, at, command_id, salt, digest"
_STATE = 4
"""Where a row has its content."""
_SIZES = """SELECT notification_id, coalesce(length(state), 0) FROM log
            WHERE notification_id > ? AND notification_id <= ? ORDER BY notification_id"""


@cache
def first_of(sql: str, arguments: int) -> str:
    """On PostgreSQL: what finds only the first rows of those; the number of bytes is one more argument, the last. How
    long what is stored apart is, the server knows without reading it."""
    return f"""SELECT {_NAMES} FROM (
                   SELECT *, sum(coalesce(octet_length(state), 0)) OVER (
                       ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
                   FROM ({sql}) AS found ({_NAMES})) AS sized
               WHERE coalesce(before, 0) < ${arguments + 1} ORDER BY position"""  # noqa: S608 - a statement of our own


def first_rows(found: sqlite3.Cursor, max_bytes: int | None) -> list[Any]:
    """On SQLite: the first of what a statement finds, all where there is no such limit."""
    if max_bytes is None:
        return found.fetchall()
    rows = []
    for row in found:
        rows.append(row)
        max_bytes -= size_of(row[_STATE])
        if max_bytes <= 0:
            break
    return rows


def last_of(connection: sqlite3.Connection, after: int, limit: int, max_bytes: int) -> int:
    """On SQLite: the last of the positions beyond that one which are best read at once."""
    for position, size in connection.execute(_SIZES, (after, after + limit)):
        max_bytes -= size
        if max_bytes <= 0:
            return int(position)
    return after + limit
