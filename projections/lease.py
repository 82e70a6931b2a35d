"""Who may write a read model or a stream: a row with an epoch, so that a holder that was paused writes nothing later.

Everything a follower commits goes through `advance` in the same transaction, which must hit its row: the epoch is the
holder's, the position is where it left off. It works behind a pooler, unlike a lock of a session.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from projections import applied_events
from projections.agreement import FollowedLog, OtherLog, disagreement
from projections.database import Database, Rows
from projections.follower_state import LEASE_SECONDS, FollowerState, states_by_name, too_late, unheld

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


def _unknown(_holder: str) -> bool:
    """Nobody can tell whether it is gone."""
    return False


def _unnoticed(_event: str, _what: str) -> None:
    """Nobody is told."""


class Leases:
    """Leases of one database; `holder` is how this process is called in `status`, `log` is what is followed.

    `exclusive`: no other process can be there (an embedded database under its file lock), so nobody is waited for.
    `noticed` is called with a word on what was wrong with a lease, and the facts. `is_gone` says of a holder, by its
    name, whether it is known to have ended: then nobody waits for its lease to expire.
    """

    def __init__(
        self,
        database: Database,
        holder: str,
        log: FollowedLog,
        *,
        exclusive: bool = False,
        noticed: Callable[[str, str], None] = _unnoticed,
        is_gone: Callable[[str], bool] = _unknown,
    ) -> None:
        self._database, self._holder, self._log, self._noticed = database, holder, log, noticed
        self._is_gone = is_gone
        self._dialect, self._now = database.dialect, database.dialect.now
        self._unheld = unheld(database.dialect)
        self._free = "true" if exclusive else self._unheld

    async def register(self, name: str, generation: int = 1) -> None:
        """Make the follower's row, at the log's beginning, where there is none."""
        await self._database.execute(
            f"INSERT INTO followers VALUES ($1, {generation:d}, 0, 0, '', 0, '', $2) ON CONFLICT (name) DO NOTHING",
            name, str(self._log.log_id),
        )  # fmt: skip

    async def acquire(self, name: str, *, anew: bool = False, failure: str = "") -> Lease | None:
        """The lease where it is free, else None. `anew`: whatever it built is going to be reset, so any log is right.
        `failure`: what keeps whoever tries again, told until it has gone on.

        Raises OtherLog where the log does not hold what was applied: nobody can go on from there.
        """
        found = await states_by_name(self._database, self._dialect)
        state = next((state for state in found if state.name == name), None)
        if state is None:
            return None
        gone = self._holds_no_more(state)  # the epoch says below that nobody else has taken it since
        late = () if gone else await self._late(name)
        if not gone and not late:
            return None
        if not anew and (problem := await self.disagreement(state)):
            raise OtherLog(problem)
        async with self._database.transaction() as rows:
            taken = await rows.execute(
                f"""UPDATE followers SET epoch = epoch + 1, holder = $4, expires_at = {self._now} + $5, failure = $6
                    WHERE name = $1 AND epoch = $2 AND position = $3 AND generation = {state.generation:d}
                    AND {"true" if gone else self._free}""",
                name, state.epoch, state.position, self._holder, LEASE_SECONDS, failure,
            )  # fmt: skip
        if not taken:
            return None
        for holder, seconds in late:
            if not holder or seconds <= 0:
                continue
            told = f"{name}: held by {holder} for {seconds:.0f} s longer than anybody holds a lease: a clock was ahead"
            self._noticed("lease_of_a_clock_ahead", told)
        return Lease(name, state.epoch + 1, state.generation, state.position)

    async def disagreement(self, state: FollowerState) -> str:
        """Why the log does not hold what was applied, and which command mends it; empty where it does."""
        return await disagreement(state, self._log)

    async def renew(self, lease: Lease, position: int) -> None:
        """Raises LeaseLost, also where a crash of the database took back what this holder had committed."""
        await self._move(self._database, lease, position, position)

    async def hold(self, rows: Rows, lease: Lease, position: int) -> None:
        """Renew it within the follower's own transaction. Raises LeaseLost."""
        await self._move(rows, lease, position, position)

    async def tell(self, lease: Lease, failure: str) -> None:
        """What keeps its holder; empty for nothing."""
        await self._database.execute(
            "UPDATE followers SET failure = $3 WHERE name = $1 AND epoch = $2", lease.name, lease.epoch, failure
        )

    async def advance(self, rows: Rows, lease: Lease, old: int, new: int, digest: bytes) -> None:
        """Move the position within the follower's own transaction, to the event of this digest. Raises LeaseLost."""
        await self._move(rows, lease, old, new)
        await applied_events.put(rows, lease.name, lease.generation, new, digest)

    async def move(self, lease: Lease, old: int, new: int, digest: bytes) -> None:
        """Write a position down that is kept elsewhere too, and the digest of its event; it may go back.

        Raises LeaseLost.
        """
        if new == old:
            await self._move(self._database, lease, old, new)
            return
        async with self._database.transaction() as rows:
            await self._move(rows, lease, old, new)
            await applied_events.put(rows, lease.name, lease.generation, new, digest)

    async def forget(self, name: str) -> None:
        """Let the follower begin anew, with the log that is there then."""
        async with self._database.transaction() as rows:
            await forget(rows, name)

    async def forget_tables(self, name: str, used: Iterable[int]) -> None:
        """The follower's tables of all generations but these are gone."""
        async with self._database.transaction() as rows:
            await applied_events.keep(rows, name, used)

    async def note(self, name: str, failure: str) -> None:
        """Say what keeps whoever would follow, where nobody does."""
        await self._database.execute(
            f"UPDATE followers SET failure = $2 WHERE name = $1 AND {self._unheld}", name, failure
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

    async def reset(
        self, rows: Rows, lease: Lease, generation: int, position: int = 0, *, filled_by: str = ""
    ) -> Lease:
        """Go on elsewhere, in tables of another generation, which `filled_by` has brought to that position.

        Raises LeaseLost.
        """
        hit = await rows.execute(
            "UPDATE followers SET generation = $3, position = $4, log_id = $5 WHERE name = $1 AND epoch = $2",
            lease.name, lease.epoch, generation, position, str(self._log.log_id),
        )  # fmt: skip
        _one(hit)
        await applied_events.copy(rows, filled_by, lease.name, generation)
        return Lease(lease.name, lease.epoch, generation, position)

    async def fence(self, rows: Rows, name: str) -> FollowerState:
        """Whoever holds it loses it, and nobody moves it until this transaction ends. Raises LookupError."""
        await rows.execute(
            "UPDATE followers SET epoch = epoch + 1, expires_at = 0, holder = '', failure = '' WHERE name = $1", name
        )
        state = await self.state(name, rows)
        if state is None:
            raise LookupError(f"no follower is called {name}")
        return state

    async def switch(self, rows: Rows, name: str, built: Lease, position: int, digest: bytes | None) -> None:
        """Make the tables that `built` brought to this position the ones that are read and written.

        `digest`: of the event there; None where the lease is at that position already. Of a transaction that has fenced
        `name`. Raises LeaseLost where somebody else fills those tables by now.
        """
        await self._move(rows, built, built.position, position)
        await applied_events.copy(rows, built.name, name, built.generation)
        if digest is not None:
            await applied_events.put(rows, name, built.generation, position, digest)
        await rows.execute(
            "UPDATE followers SET generation = $2, position = $3, log_id = $4 WHERE name = $1",
            name, built.generation, position, str(self._log.log_id),
        )  # fmt: skip
        await forget(rows, built.name)

    async def state(self, name: str, rows: Rows | None = None) -> FollowerState | None:
        """`rows`: as a transaction sees it."""
        states = await self.states(rows)
        return next((state for state in states if state.name == name), None)

    async def states(self, rows: Rows | None = None) -> Sequence[FollowerState]:
        """Without the holders that have ended."""
        found = await states_by_name(rows or self._database, self._dialect)
        return [replace(state, holder="") if self._holds_no_more(state) else state for state in found]

    def _holds_no_more(self, state: FollowerState) -> bool:
        return bool(state.holder) and self._is_gone(state.holder)

    async def _late(self, name: str) -> Sequence[Sequence[Any]]:
        """Of a lease that is free: who had it last, and how many seconds beyond what anybody may ask for."""
        return await self._database.fetch(
            f"SELECT holder, {too_late(self._dialect)} FROM followers WHERE name = $1 AND {self._free}", name
        )

    async def _move(self, rows: Rows | Database, lease: Lease, old: int, new: int) -> None:
        hit = await rows.execute(
            f"""UPDATE followers SET position = $4, expires_at = {self._now} + $5
                WHERE name = $1 AND epoch = $2 AND position = $3 AND generation = {lease.generation:d}""",
            lease.name, lease.epoch, old, new, LEASE_SECONDS,
        )  # fmt: skip
        _one(hit)


async def forget(rows: Rows, name: str) -> None:
    """That there is such a follower, and with which event it ended."""
    await rows.execute("DELETE FROM followers WHERE name = $1", name)
    await applied_events.forget(rows, name)


def _one(hit: int) -> None:
    if hit != 1:
        raise LeaseLost
