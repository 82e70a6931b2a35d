"""The rows that say how far each follower is, who follows, and what keeps it: what they are, and how they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from projections.database import Dialect, Reader

LEASE_SECONDS = 3.0
"""A holder that has not been heard of for so long may be replaced."""
CLOCK_SECONDS = 1.0
"""How far the database's clock may step back under a holder: who holds a lease renews it once a second."""
_HONEST: Final = LEASE_SECONDS + CLOCK_SECONDS


@dataclass(frozen=True, slots=True)
class FollowerState:
    """A follower's row. `holder` is empty where nobody holds the lease; `failure` says why it stopped, or is empty.

    `log_id` tells which log the position is of, `digest` which event stands there: 64 hexadecimal digits, or empty
    where a release moved the position that does not say. Each holder has a higher `epoch` than the one before.
    """

    name: str
    generation: int
    position: int
    holder: str
    failure: str
    log_id: str
    epoch: int
    digest: str = ""


def tables(dialect: Dialect) -> list[str]:
    return [
        f"""CREATE TABLE IF NOT EXISTS followers (
            name {dialect.text} PRIMARY KEY,
            generation integer NOT NULL,
            position bigint NOT NULL,
            epoch bigint NOT NULL,
            holder {dialect.text} NOT NULL,
            expires_at double precision NOT NULL,
            failure {dialect.text} NOT NULL,
            log_id {dialect.text} NOT NULL
        )"""
    ]


def unheld(dialect: Dialect) -> str:
    """A condition: nobody has the lease. One that expires later than any holder can have asked for was written under a
    clock that was ahead, by somebody who does not renew it any more: it is as free as one that has expired."""
    return f"NOT expires_at BETWEEN {dialect.now} AND {dialect.now} + {_HONEST}"


def too_late(dialect: Dialect) -> str:
    """How many seconds later than any holder can have asked for the lease expires; negative for an honest one."""
    return f"expires_at - {dialect.now} - {_HONEST}"


async def states_by_name(reader: Reader, dialect: Dialect) -> Sequence[FollowerState]:
    found = await reader.fetch(
        f"""SELECT name, followers.generation, followers.position,
                   CASE WHEN {unheld(dialect)} THEN '' ELSE holder END, failure, log_id, epoch, coalesce(digest, '')
            FROM followers LEFT JOIN applied_events
            ON follower = name AND applied_events.generation = followers.generation
               AND applied_events.position = followers.position
            ORDER BY name"""
    )
    return [FollowerState(*row) for row in found]
