"""What is defined in a database, tables, columns, constraints, indexes, triggers, functions, against what this release
makes there. Names and texts only: what is defined otherwise may lose, hide or change rows without any row being wrong.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

Defined = Mapping["Thing", str]
"""What there is, each with how it is defined."""

_TABLE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")


class Thing(NamedTuple):
    """`kind`: table, column, constraint, index, trigger, rule or function. `table` is empty for a function."""

    kind: str
    table: str
    name: str

    def __str__(self) -> str:
        of = f" of {self.table}" if self.kind != "table" and self.table else ""
        return f"{self.kind} {self.name}{of}"


def tables_in(statements: Sequence[str]) -> set[str]:
    """The names of the tables that statements make."""
    return {match[1] for statement in statements if (match := _TABLE.match(statement))}


def differences(made: Defined, found: Defined) -> Iterator[str]:
    """`made` by the release. What belongs to a table that is gone is not told of one by one."""
    gone = {thing.name for thing in made if thing.kind == "table" and thing not in found}
    for thing in sorted({*made, *found}):
        if thing.kind != "table" and thing.table in gone:
            continue
        if thing not in found:
            yield f"{thing} is gone"
        elif thing not in made:
            yield f"{thing} is there, and this release makes none"
        elif made[thing] != found[thing]:
            yield f"{thing} is not as this release makes it"
