"""Tables that nobody reads yet as a follower's target: filled as fast as the log can be read.

While the database writes what some events changed, it is found out what the next ones do. What the last batch left is
in memory, so nothing is read that is still being written.
"""

import asyncio
from collections.abc import Sequence

from domain.event import Fact
from projections.database import Database, Unavailable
from projections.follower import Stopped
from projections.incidents import Changes
from projections.lease import Lease, LeaseLost, Leases
from projections.read_models import ReadModels


class Loading:
    """`models` must remember the incidents that changed last."""

    def __init__(self, database: Database, leases: Leases, models: ReadModels) -> None:
        self._database, self._leases, self._models = database, leases, models
        self._writing: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Whether the database is there shows when the lease is asked for."""

    async def begin(self, lease: Lease) -> int:
        return lease.position

    async def commit(self, lease: Lease, position: int, batch: Sequence[Fact]) -> None:
        """Returns while this batch is being written; the one before it is."""
        try:
            changes = await self._models.changes(self._database, batch)
        except (Unavailable, LeaseLost):
            raise
        except Exception as error:
            raise _stopped(batch, error) from error
        await self._settle()
        self._writing = asyncio.create_task(self._write(lease, position, batch, changes))
        await asyncio.sleep(0)  # it goes out before anything else is looked at

    async def rest(self, lease: Lease, position: int) -> None:
        await self._settle()
        await self._leases.renew(lease, position)

    async def leave(self, _lease: Lease) -> None:
        await self._settle()

    async def close(self) -> None:
        """What is still being written is given up, or was written by then."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(self, lease: Lease, position: int, batch: Sequence[Fact], changes: Changes) -> None:
        try:
            async with self._database.transaction() as rows:
                await self._models.write(rows, batch, changes)
                await self._leases.advance(rows, lease, position, batch[-1].position)
        except (Unavailable, LeaseLost):
            raise
        except Exception as error:
            raise _stopped(batch, error) from error

    async def _settle(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing


def _stopped(batch: Sequence[Fact], error: Exception) -> Stopped:
    return Stopped(f"positions {batch[0].position} to {batch[-1].position}: {type(error).__name__}: {error}")
