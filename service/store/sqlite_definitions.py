"""What is defined in a file of SQLite, beside what is in one in memory that this release has just made."""

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from typing import Final

from service.store.definitions import Thing, differences, tables_in
from service.store.migrations import steps
from service.store.sqlite_file import DatabaseFile

_DEFINED: Final = "SELECT type, tbl_name, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'"


async def faults_of(log: DatabaseFile, derived: DatabaseFile, statements: Sequence[str]) -> list[str]:
    """In the file of the log, and in that of what is derived, where `statements` made the tables to look at."""
    of_log = [statement for step in steps("sqlite") for statement in step.split(";\n")]
    found: list[str] = []
    for file, made in ((log, of_log), (derived, list(statements))):
        with closing(sqlite3.connect(":memory:")) as reference:
            for statement in made:
                reference.execute(statement)
            expected = _defined(reference)
        tables = tables_in(statements) if file is derived else {thing.table for thing in expected}
        there = await file.read(lambda connection, tables=tables: _defined(connection, tables))  # type: ignore[misc]
        found += differences(expected, there)
    return found


def _defined(connection: sqlite3.Connection, tables: Collection[str] | None = None) -> dict[Thing, str]:
    return {
        Thing(kind, table, name): " ".join(sql.split())
        for kind, table, name, sql in connection.execute(_DEFINED)
        if tables is None or table in tables
    }
