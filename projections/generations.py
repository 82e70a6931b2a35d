"""The generations of the read models: whose tables there are, and which are kept to go back to."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from projections.database import Database, Dialect, Rows
from projections.lease import FollowerState

_TABLE = re.compile(r"(?P<what>[a-z_]+)_v(?P<version>\d+)_(?P<number>\d+)")


class NothingKept(Exception):
    """There are no tables to go back to."""


class Generation(NamedTuple):
    """`version` is that of the read models in the code; tables of all generations are called alike but for the end."""

    version: int
    number: int

    @property
    def suffix(self) -> str:
        return f"_v{self.version}_{self.number}"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was live before, and how far it was then. `until`: seconds since 1970; None until it is dropped."""

    generation: int
    position: int
    log_id: str
    until: float | None


async def existing(database: Database) -> dict[Generation, list[str]]:
    """Every generation that has tables, with their names: the live one, one that is being built, kept ones, and those
    of other releases. Raises Unavailable."""
    return by_generation(await database.fetch(database.dialect.table_names))


def by_generation(names: Iterable[Sequence[str]]) -> dict[Generation, list[str]]:
    """Of the names of all tables, as `table_names` finds them, those of read models."""
    found: dict[Generation, list[str]] = {}
    for (name,) in names:
        if match := _TABLE.fullmatch(name):
            found.setdefault(Generation(int(match["version"]), int(match["number"])), []).append(name)
    return dict(sorted(found.items()))


def removal(tables: Sequence[str]) -> list[str]:
    return [f"DROP TABLE IF EXISTS {name}" for name in tables]


def tables(dialect: Dialect) -> list[str]:
    return [
        f"""CREATE TABLE IF NOT EXISTS kept_generations (
            follower {dialect.text} PRIMARY KEY, generation integer NOT NULL, position bigint NOT NULL,
            log_id {dialect.text} NOT NULL, kept_until double precision)"""
    ]


class KeptGeneration:
    """The one generation of a follower that is kept."""

    def __init__(self, database: Database, follower: str) -> None:
        self._database, self._follower = database, follower
        self._now = database.dialect.now

    async def get(self) -> Kept | None:
        found = await self._database.fetch(
            "SELECT generation, position, log_id, kept_until FROM kept_generations WHERE follower = $1", self._follower
        )
        return Kept(*found[0]) if found else None

    async def set(self, rows: Rows, state: FollowerState, seconds: float | None) -> None:
        """In the place of the one before. `seconds`: how long; None until it is dropped."""
        until = "NULL" if seconds is None else f"{self._now} + {seconds:f}"
        await self.forget(rows)
        await rows.execute(
            f"INSERT INTO kept_generations VALUES ($1, $2, $3, $4, {until})",
            self._follower, state.generation, state.position, state.log_id,
        )  # fmt: skip

    async def moved(self, rows: Rows, generation: int, position: int) -> None:
        """Whoever was about to go back to it has brought it so far."""
        await rows.execute(
            "UPDATE kept_generations SET position = $3 WHERE follower = $1 AND generation = $2",
            self._follower, generation, position,
        )  # fmt: skip

    async def forget(self, rows: Rows) -> None:
        await rows.execute("DELETE FROM kept_generations WHERE follower = $1", self._follower)

    async def expire(self) -> bool:
        """Forget it where its time is over; returns whether it was."""
        hit = await self._database.execute(
            f"DELETE FROM kept_generations WHERE follower = $1 AND kept_until < {self._now}", self._follower
        )
        return hit > 0
