"""Who may write a read model or a stream: a row with an epoch, so that a holder that was paused writes nothing later.

Everything a follower commits goes through `advance` in the same transaction, which must hit its row: the epoch is the
holder's, the position is where it left off. It works behind a pooler, unlike a lock of a session.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from projections.database import Database, Dialect, Rows

LEASE_SECONDS = 3.0
"""A holder that has not been heard of for so long may be replaced."""


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

    `log_id` tells which log the position is of.
    """

    name: str
    generation: int
    position: int
    holder: str
    failure: str
    log_id: str


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

    async def register(self, name: str) -> None:
        """Make the follower's row, at the log's beginning, where there is none."""
        await self._database.execute(
            "INSERT INTO followers VALUES ($1, 1, 0, 0, '', 0, '', $2) ON CONFLICT (name) DO NOTHING",
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

    async def release(self, lease: Lease, failure: str = "") -> None:
        """Give it up at once, so that nobody waits for it to expire."""
        await self._database.execute(
            "UPDATE followers SET expires_at = 0, holder = '', failure = $3 WHERE name = $1 AND epoch = $2",
            lease.name, lease.epoch, failure,
        )  # fmt: skip

    async def reset(self, lease: Lease, generation: int) -> Lease:
        """Begin again at the log's beginning, in tables of another generation. Raises LeaseLost."""
        async with self._database.transaction(durable=True) as rows:
            hit = await rows.execute(
                "UPDATE followers SET position = 0, generation = $3, log_id = $4 WHERE name = $1 AND epoch = $2",
                lease.name, lease.epoch, generation, self._log_id,
            )  # fmt: skip
            _one(hit)
        return Lease(lease.name, lease.epoch, generation, 0)

    async def switch(self, name: str, built: Lease) -> None:
        """Make the tables that `built` filled the ones that are read and written; whoever holds `name` loses it.

        Raises LeaseLost where somebody else fills those tables by now.
        """
        async with self._database.transaction(durable=True) as rows:
            await self.advance(rows, built, built.position, built.position)
            await rows.execute(
                """UPDATE followers SET generation = $2, position = $3, log_id = $4, epoch = epoch + 1, expires_at = 0,
                          holder = '', failure = '' WHERE name = $1""",
                name, built.generation, built.position, self._log_id,
            )  # fmt: skip

    async def state(self, name: str) -> FollowerState | None:
        states = await self.states()
        return next((state for state in states if state.name == name), None)

    async def states(self) -> Sequence[FollowerState]:
        rows = await self._database.fetch(
            f"""SELECT name, generation, position, CASE WHEN expires_at < {self._now} THEN '' ELSE holder END, failure,
                       log_id
                FROM followers ORDER BY name"""
        )
        return [FollowerState(*row) for row in rows]


class OtherLog(Exception):
    """The read models belong to another log than the one that is followed."""


def _one(hit: int) -> None:
    if hit != 1:
        raise LeaseLost
