"""What a read model needs of a database. Connections are handed in; both engines implement these few methods.

SQL is the part that PostgreSQL and SQLite share, with `$1 …` for arguments; `Dialect` holds the words that differ.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol


class Unavailable(Exception):
    """The database cannot be reached, or did not answer in time. Nothing is known to be wrong with the request."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """`text` sorts by code point. `now` is the database's clock, in seconds since 1970."""

    text: str
    binary: str
    now: str
    any_of: str
    contains: str
    listed: str
    """A query for the arrays in a JSON text, a row for each; `columns` are made of their elements by `element`."""
    element: str
    joined: str
    """Aggregate of the column `document`, in order, with commas between."""
    placed: str
    """Aggregate, in order, that gives an expression's value in the row of one place; NULL where there are fewer."""
    table_names: str
    """A query for the names of all tables that are there."""
    column_names: str
    """A query for the names of a table's columns, in order; the table is its argument."""
    differing: str
    """A query for the keys of rows that differ, or are in one only, of two tables alike; `comparison.py` fills it."""
    sampled: bool
    """Whether the planner keeps samples of what is in columns."""

    def among(self, column: str, argument: int) -> str:
        """A condition: the column's value is in the list that is given as argument number `argument`."""
        return self.any_of.format(column=column, argument=argument)

    def containing(self, column: str, argument: int) -> str:
        """A condition: the text of that argument is somewhere in the column's."""
        return self.contains.format(column=column, argument=argument)

    def in_place(self, expression: str, place: int) -> str:
        """The expression's value in that row, the first being number 1."""
        return self.placed.format(of=expression, place=place, index=place - 1)

    def rows_in(self, argument: int, names: Sequence[str]) -> str:
        """A query for rows of texts with these names; argument number `argument` is a JSON text, an array of arrays."""
        elements = [f"{self.element.format(place=place)} AS {name}" for place, name in enumerate(names)]
        return self.listed.format(columns=", ".join(elements), argument=argument)

    def unsampled(self, table: str, *columns: str) -> list[str]:
        """Statements that keep content out of the planner's samples, where it would outlast its erasure."""
        return [f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0" for column in columns if self.sampled]


class Reader(Protocol):
    """A database, or one connection to it."""

    async def fetch(self, sql: str, *args: Any) -> Sequence[Sequence[Any]]:
        """One statement, which sees one snapshot."""
        ...


class Rows(Reader, Protocol):
    """One connection within one transaction."""

    async def execute(self, sql: str, *args: Any) -> int:
        """Returns how many rows were hit."""
        ...

    async def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None: ...

    async def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """New rows, all columns in their order; the quicker for being many."""
        ...


class Database(Reader, Protocol):
    """Every method raises Unavailable when the database is away."""

    dialect: Dialect

    async def every(self, columns: str, source: str, *args: Any) -> Sequence[Sequence[Any]]:
        """What `SELECT columns FROM source` finds, in whatever order: for many rows of many columns."""
        ...

    async def execute(self, sql: str, *args: Any) -> int: ...

    def transaction(self, *, durable: bool = False) -> AbstractAsyncContextManager[Rows]:
        """A crash of the database may take back the newest ones; not one that is `durable`, nor any before it."""
        ...

    def trial(self) -> AbstractAsyncContextManager[Rows]:
        """A transaction that sees one snapshot, takes as long as it takes, and is taken back at its end."""
        ...

    async def define(self, statements: Sequence[str]) -> None:
        """Create what does not exist yet, safe against other processes that do the same."""
        ...

    async def build(self, statements: Sequence[str]) -> None:
        """Each in a transaction of its own that takes as long as it takes: indexes of full tables."""
        ...

    async def scrub(self) -> None:
        """After an erasure was committed: its content leaves the files too, as far as the engine can do that now."""
        ...


class Json(Protocol):
    """How documents become bytes; handed in, as connections are."""

    def dumps(self, value: Any, /) -> bytes: ...

    def loads(self, data: bytes, /) -> Any: ...
