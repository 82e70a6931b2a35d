"""Tables that nobody reads yet as a follower's target: filled as fast as the log can be read.

While the database writes what some thousand events changed, it is found out what the next ones do, a few at a time.
What the last transaction left is in memory, so nothing is read that is still being written.
"""

import asyncio
from collections.abc import Callable, Sequence

from projections.database import Database, Unavailable
from projections.follower import Placed, Stopped
from projections.lease import RENEW_SECONDS, Lease, LeaseLost, Leases
from projections.read_models import Changes, ReadModels

FOLDED = 100
"""Events that a follower best brings at once: they are folded while the processor still has them at hand."""
WRITTEN = 5_000
"""Events in one transaction, where these come so quickly that the lease does not run out meanwhile: an incident that
many of them change is written once."""
WRITTEN_BYTES = 8_000_000
"""Of documents in one transaction, about: texts may be long, and memory is not."""


class Loading:
    """`models` must remember the incidents that changed last. What it is told to commit is written a little later: at
    the latest when there is nothing more to follow. `clock`: seconds that only ever grow."""

    def __init__(self, database: Database, leases: Leases, models: ReadModels, clock: Callable[[], float]) -> None:
        self._database, self._leases, self._models, self._clock = database, leases, models, clock
        self._fold = models.fold(WRITTEN_BYTES)
        self._since: int | None = None
        """The position that the events which are folded and not written yet follow; None where there are none."""
        self._last: Placed | None = None
        """The last of them."""
        self._writing: asyncio.Task[None] | None = None
        self._handed_over_at = clock()

    async def ready(self) -> None:
        """Whether the database is there shows when the lease is asked for."""

    async def begin(self, lease: Lease) -> int:
        self._handed_over_at = self._clock()
        return lease.position

    async def commit(self, lease: Lease, position: int, batch: Sequence[Placed]) -> int:
        since = position if self._since is None else self._since
        try:
            taken = await self._fold.add(self._database, batch)
        except (Unavailable, LeaseLost):
            raise
        except Exception as error:
            raise _stopped(position + 1, batch[-1].position, error) from error
        self._since, self._last = since, batch[taken - 1]
        late = self._clock() - self._handed_over_at >= RENEW_SECONDS  # else the lease may run out
        if late or self._last.position - since >= WRITTEN or self._fold.size >= WRITTEN_BYTES:
            await self._hand_over(lease)
        await asyncio.sleep(0)  # what is being written goes on, and what is being read
        return taken

    async def rest(self, lease: Lease, position: int) -> None:
        await self._finish(lease)
        await self._leases.renew(lease, position)

    async def leave(self, _lease: Lease) -> None:
        """What is not written yet is followed again by whoever comes next."""
        await self._settle()

    async def close(self) -> None:
        """What is still being written is given up, or was written by then."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _finish(self, lease: Lease) -> None:
        await self._hand_over(lease)
        await self._settle()

    async def _hand_over(self, lease: Lease) -> None:
        """Returns while this is being written; what was handed over before is."""
        since, last, self._since = self._since, self._last, None
        if since is None or last is None:
            return
        changes, self._fold = self._fold.changes(), self._models.fold(WRITTEN_BYTES)
        await self._settle()
        self._handed_over_at = self._clock()
        self._writing = asyncio.create_task(self._write(lease, since, last, changes))

    async def _write(self, lease: Lease, since: int, last: Placed, changes: Changes) -> None:
        try:
            async with self._database.transaction() as rows:
                await self._models.write(rows, changes)
                await self._leases.advance(rows, lease, since, last.position, last.digest)
        except (Unavailable, LeaseLost):
            raise
        except Exception as error:
            raise _stopped(since + 1, last.position, error) from error

    async def _settle(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing


def _stopped(first: int, last: int, error: Exception) -> Stopped:
    return Stopped(f"positions {first} to {last}: {type(error).__name__}: {error}")
