"""The generations of the read models: whose tables there are, and which are kept to go back to."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from projections import applied_events
from projections.database import Database, Dialect, Rows
from projections.follower_state import CLOCK_SECONDS, FollowerState

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
    """What was live before, how far it was then, and with which event: 64 hexadecimal digits, or empty where that is
    not known. `until`: seconds since 1970; None until it is dropped."""

    name: str
    generation: int
    position: int
    log_id: str
    until: float | None
    digest: str


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
            log_id {dialect.text} NOT NULL, kept_until double precision)""",
        # Beside it, not in it: processes of the release before go on with that table as they know it.
        f"""CREATE TABLE IF NOT EXISTS keeping_times (
            follower {dialect.text} NOT NULL, generation integer NOT NULL, seconds double precision NOT NULL,
            PRIMARY KEY (follower, generation))""",
    ]


class KeptGeneration:
    """The one generation of a follower that is kept."""

    def __init__(self, database: Database, follower: str) -> None:
        self._database, self._follower = database, follower
        self._now = database.dialect.now

    async def get(self) -> Kept | None:
        found = await self._database.fetch(
            """SELECT kept.generation, kept.position, log_id, kept_until, coalesce(digest, '')
               FROM kept_generations AS kept LEFT JOIN applied_events AS applied
               ON applied.follower = kept.follower AND applied.generation = kept.generation
                  AND applied.position = kept.position
               WHERE kept.follower = $1""",
            self._follower,
        )
        return Kept(f"the generation of {self._follower} that is kept", *found[0]) if found else None

    async def set(self, rows: Rows, state: FollowerState, seconds: float | None) -> None:
        """In the place of the one before. `seconds`: how long; None until it is dropped."""
        until = "NULL" if seconds is None else f"{self._now} + {seconds:f}"
        await self.forget(rows)
        await rows.execute(
            f"INSERT INTO kept_generations VALUES ($1, $2, $3, $4, {until})",
            self._follower, state.generation, state.position, state.log_id,
        )  # fmt: skip
        if seconds is not None:
            await rows.execute(
                "INSERT INTO keeping_times VALUES ($1, $2, $3)", self._follower, state.generation, float(seconds)
            )

    async def moved(self, rows: Rows, builder: str, generation: int, position: int) -> None:
        """Whoever was about to go back to it has brought it so far."""
        hit = await rows.execute(
            "UPDATE kept_generations SET position = $3 WHERE follower = $1 AND generation = $2",
            self._follower, generation, position,
        )  # fmt: skip
        if hit:
            await applied_events.copy(rows, builder, self._follower, generation)

    async def forget(self, rows: Rows) -> None:
        await rows.execute("DELETE FROM kept_generations WHERE follower = $1", self._follower)
        await rows.execute("DELETE FROM keeping_times WHERE follower = $1", self._follower)

    async def shorten(self) -> bool:
        """Where it would be kept longer from now on than was asked for, a clock was ahead when that was written: let
        its time begin now. Returns whether it was so."""
        seconds = """(SELECT seconds FROM keeping_times AS times WHERE times.follower = kept_generations.follower
                      AND times.generation = kept_generations.generation)"""
        hit = await self._database.execute(
            f"""UPDATE kept_generations SET kept_until = {self._now} + {seconds}
                WHERE follower = $1 AND kept_until > {self._now} + {CLOCK_SECONDS} + {seconds}""",
            self._follower,
        )
        return hit > 0

    async def expire(self) -> bool:
        """Forget it where its time is over; returns whether it was."""
        hit = await self._database.execute(
            f"DELETE FROM kept_generations WHERE follower = $1 AND kept_until < {self._now}", self._follower
        )
        return hit > 0
