"""Two generations of the read models, row by row: what the tables that were built anew have otherwise."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from projections.database import Database, Dialect, Rows

MAX_SHOWN = 100
"""Rows of one table whose differences are told one by one; of the others, how many there are."""


class Compared(NamedTuple):
    """A table to compare. `where`: the rows that count."""

    table: str
    key: tuple[str, ...]
    where: str = "true"


class Difference(NamedTuple):
    """One row: the columns in which it differs, or `live` or `built` where it is in those tables only."""

    table: str
    key: tuple[Any, ...]
    columns: tuple[str, ...]
    only: str = ""


class Differences(NamedTuple):
    """`total`: of all rows that differ; `shown`: the first of each table."""

    total: int
    shown: list[Difference]


async def differences(
    database: Database, rows: Rows, live: Sequence[Compared], built: Sequence[Compared]
) -> Differences:
    """Of the same tables in two generations, within one snapshot."""
    total, shown = 0, []
    for old, new in zip(live, built, strict=True):
        columns = [name for (name,) in await rows.fetch(database.dialect.column_names, old.table)]
        found = await rows.fetch(_differing(database.dialect, old, new, columns))
        total += found[0][-1] if found else 0
        for *key, _ in found:
            before, after = await _row(rows, old, key), await _row(rows, new, key)
            if before is None or after is None:
                shown.append(Difference(old.table, tuple(key), (), "built" if before is None else "live"))
            else:
                differing = (name for name, one, two in zip(columns, before, after, strict=True) if one != two)
                shown.append(Difference(old.table, tuple(key), tuple(differing)))
    return Differences(total, shown)


def _differing(dialect: Dialect, live: Compared, built: Compared, columns: Sequence[str]) -> str:
    keys = ", ".join(live.key)
    differing = dialect.differing.format(
        live=live.table,
        built=built.table,
        where=live.where,
        keys=keys,
        live_keys=", ".join(f"live.{name}" for name in live.key),
        built_keys=", ".join(f"built.{name}" for name in live.key),
        live_columns=", ".join(f"live.{name}" for name in columns),
        built_columns=", ".join(f"built.{name}" for name in columns),
        same_key=" AND ".join(f"live.{name} = built.{name}" for name in live.key),
        first=live.key[0],
    )
    return f"SELECT *, count(*) OVER () FROM ({differing}) AS differing ORDER BY {keys} LIMIT {MAX_SHOWN}"


async def _row(rows: Rows, compared: Compared, key: Sequence[Any]) -> Sequence[Any] | None:
    wanted = " AND ".join(f"{column} = ${place}" for place, column in enumerate(compared.key, start=1))
    found = await rows.fetch(f"SELECT * FROM {compared.table} WHERE {compared.where} AND {wanted}", *key)
    return found[0] if found else None
