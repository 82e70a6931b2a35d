"""Who may write a read model or a stream: a row with an epoch, so that a holder that was paused writes nothing later.

Everything a follower commits goes through `advance` in the same transaction, which must hit its row: the epoch is the
holder's, the position is where it left off. It works behind a pooler, unlike a lock of a session.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from projections.database import Database, Dialect, Rows

LEASE_SECONDS = 3.0
"""A holder that has not been heard of for so long may be replaced."""
RENEW_SECONDS = 1.0

_T = TypeVar("_T")


class LeaseLost(Exception):
    """Another holder took over; whatever this one was about to write is rolled back."""


@dataclass(frozen=True, slots=True)
class Lease:
    name: str
    epoch: int
    generation: int
    position: int


@dataclass(frozen=True, slots=True)
class FollowerState:
    """A follower's row. `holder` is empty where nobody holds the lease; `failure` says why it stopped, or is empty.

    `log_id` tells which log the position is of. Each holder has a higher `epoch` than the one before.
    """

    name: str
    generation: int
    position: int
    holder: str
    failure: str
    log_id: str
    epoch: int


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


class Leases:
    """Leases of one database; `holder` is how this process is called in `status`.

    `exclusive`: no other process can be there (an embedded database under its file lock), so nobody is waited for.
    """

    def __init__(self, database: Database, holder: str, log_id: str, *, exclusive: bool = False) -> None:
        self._database = database
        self._holder = holder
        self._log_id = log_id
        self._now = database.dialect.now
        self._free = "true" if exclusive else f"expires_at < {self._now}"

    async def register(self, name: str, generation: int = 1) -> None:
        """Make the follower's row, at the log's beginning, where there is none."""
        await self._database.execute(
            f"INSERT INTO followers VALUES ($1, {generation:d}, 0, 0, '', 0, '', $2) ON CONFLICT (name) DO NOTHING",
            name, self._log_id,
        )  # fmt: skip

    async def acquire(self, name: str, *, anew: bool = False) -> Lease | None:
        """The lease where it is free, else None. `anew`: whatever it built is going to be reset, so any log is right.

        Raises OtherLog.
        """
        async with self._database.transaction() as rows:
            taken = await rows.fetch(
                f"""UPDATE followers SET epoch = epoch + 1, holder = $2, expires_at = {self._now} + $3, failure = ''
                    WHERE name = $1 AND {self._free} RETURNING epoch, generation, position, log_id""",
                name, self._holder, LEASE_SECONDS,
            )  # fmt: skip
            if not taken:
                return None
            epoch, generation, position, log_id = taken[0]
            if log_id != self._log_id and not anew:
                raise OtherLog(
                    f"{name} was built from another log ({log_id}): run `ims projections rebuild`, then start"
                )
            return Lease(name, epoch, generation, position)

    async def renew(self, lease: Lease, position: int) -> None:
        """Raises LeaseLost, also where a crash of the database took back what this holder had committed."""
        hit = await self._database.execute(
            f"""UPDATE followers SET expires_at = {self._now} + $4
                WHERE name = $1 AND epoch = $2 AND position = $3 AND generation = {lease.generation:d}""",
            lease.name, lease.epoch, position, LEASE_SECONDS,
        )  # fmt: skip
        _one(hit)

    async def advance(self, rows: Rows, lease: Lease, old: int, new: int) -> None:
        """Move the position within the follower's own transaction. Raises LeaseLost."""
        hit = await rows.execute(
            f"""UPDATE followers SET position = $4, expires_at = {self._now} + $5
                WHERE name = $1 AND epoch = $2 AND position = $3 AND generation = {lease.generation:d}""",
            lease.name, lease.epoch, old, new, LEASE_SECONDS,
        )  # fmt: skip
        _one(hit)

    async def move(self, lease: Lease, old: int, new: int) -> None:
        """Write a position down that is kept elsewhere too; it may go back. Raises LeaseLost."""
        hit = await self._database.execute(
            f"""UPDATE followers SET position = $4, failure = '', expires_at = {self._now} + $5
                WHERE name = $1 AND epoch = $2 AND position = $3 AND generation = {lease.generation:d}""",
            lease.name, lease.epoch, old, new, LEASE_SECONDS,
        )  # fmt: skip
        _one(hit)

    async def forget(self, name: str) -> None:
        """Let the follower begin anew, with the log that is there then."""
        await self._database.execute("DELETE FROM followers WHERE name = $1", name)

    async def note(self, name: str, failure: str) -> None:
        """Say what keeps whoever would follow, where nobody does."""
        await self._database.execute(
            f"UPDATE followers SET failure = $2 WHERE name = $1 AND expires_at < {self._now}", name, failure
        )

    async def renewing(self, lease: Lease, position: int, work: Awaitable[_T]) -> _T:
        """However long the work takes, the lease stays with whoever does it. Raises LeaseLost, and what it raises."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=RENEW_SECONDS))[0]:
                await self.renew(lease, position)
            return task.result()
        finally:
            task.cancel()

    async def release(self, lease: Lease, failure: str = "") -> None:
        """Give it up at once, so that nobody waits for it to expire."""
        await self._database.execute(
            "UPDATE followers SET expires_at = 0, holder = '', failure = $3 WHERE name = $1 AND epoch = $2",
            lease.name, lease.epoch, failure,
        )  # fmt: skip

    async def given_up(self, name: str) -> bool:
        """Whether whoever had it last left in order, or nobody ever had it: then nobody is missed."""
        return not await self._database.fetch("SELECT 1 FROM followers WHERE name = $1 AND expires_at > 0", name)

    async def reset(self, rows: Rows, lease: Lease, generation: int, position: int = 0) -> Lease:
        """Go on elsewhere, in tables of another generation, which are at that position. Raises LeaseLost."""
        hit = await rows.execute(
            "UPDATE followers SET generation = $3, position = $4, log_id = $5 WHERE name = $1 AND epoch = $2",
            lease.name, lease.epoch, generation, position, self._log_id,
        )  # fmt: skip
        _one(hit)
        return Lease(lease.name, lease.epoch, generation, position)

    async def fence(self, rows: Rows, name: str) -> FollowerState:
        """Whoever holds it loses it, and nobody moves it until this transaction ends. Raises LookupError."""
        taken = await rows.fetch(
            """UPDATE followers SET epoch = epoch + 1, expires_at = 0, holder = '', failure = '' WHERE name = $1
               RETURNING name, generation, position, holder, failure, log_id, epoch""",
            name,
        )
        if not taken:
            raise LookupError(f"no follower is called {name}")
        return FollowerState(*taken[0])

    async def switch(self, rows: Rows, name: str, built: Lease, position: int) -> None:
        """Make the tables that `built` brought to this position the ones that are read and written.

        Of a transaction that has fenced `name`. Raises LeaseLost where somebody else fills those tables by now.
        """
        await self.advance(rows, built, built.position, position)
        await rows.execute(
            "UPDATE followers SET generation = $2, position = $3, log_id = $4 WHERE name = $1",
            name, built.generation, position, self._log_id,
        )  # fmt: skip
        await rows.execute("DELETE FROM followers WHERE name = $1", built.name)

    async def state(self, name: str, rows: Rows | None = None) -> FollowerState | None:
        """`rows`: as a transaction sees it."""
        states = await self.states(rows)
        return next((state for state in states if state.name == name), None)

    async def states(self, rows: Rows | None = None) -> Sequence[FollowerState]:
        found = await (rows or self._database).fetch(
            f"""SELECT name, generation, position, CASE WHEN expires_at < {self._now} THEN '' ELSE holder END, failure,
                       log_id, epoch
                FROM followers ORDER BY name"""
        )
        return [FollowerState(*row) for row in found]


class OtherLog(Exception):
    """The read models belong to another log than the one that is followed."""


def _one(hit: int) -> None:
    if hit != 1:
        raise LeaseLost
