"""A long log is gone through by two processes: each fills the same tables with the incidents of its own share.

Each is a follower with a lease and a position of its own, which are there until both have come to the same position:
whoever is killed goes on where it was.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

import uvloop

from projections.database import Rows
from projections.follower import Placed, Stopped
from projections.lease import Lease, Leases, forget
from projections.read_models import REBUILD
from service.builders import builders_lease
from service.engines import Engine, open_engine
from service.filling import fill
from service.garbage import settle
from service.leases import open_leases
from service.settings import Settings
from service.store.history import plainly_told
from service.store.log import Plain
from service.yielding import Yielding

LONG = 50_000
"""Events from which on a second process is worth its start."""
LISTEN_SECONDS = 0.05
"""How long it is looked whether the log grows."""
SHARES: Final = 2
NAMES: Final = tuple(f"{REBUILD}_{share}" for share in range(SHARES))


class Passed(NamedTuple):
    """What stands at a position, where it is the other's."""

    position: int
    digest: bytes


def told_to(share: int) -> Callable[[Plain], Placed]:
    """By the last digit of the aggregate's id."""

    def told(row: Plain) -> Placed:
        return plainly_told(row) if int(row[1][-1], 16) % SHARES == share else Passed(row[0], row[-1])

    return told


class Shares:
    """Of whoever holds the lease of a rebuild."""

    def __init__(self, settings: Settings, engine: Engine, leases: Leases) -> None:
        self._settings, self._engine, self._leases = settings, engine, leases

    async def begun(self, generation: int) -> bool:
        """Whether tables were left that each has filled with its share so far."""
        log_id = str(self._engine.log.log_id)
        return any(
            state.name in NAMES and state.generation == generation and state.log_id == log_id and state.position > 0
            for state in await self._leases.states()
        )

    async def agree(self) -> bool:
        """Whether the log holds what each has filled the tables with so far, if any has."""
        states = [state for state in await self._leases.states() if state.name in NAMES]
        return not any([await self._leases.disagreement(state) for state in states])

    async def wanted(self, lease: Lease, until: int) -> bool:
        """Whether a second process is worth its start and takes nothing from those who write, or two have begun."""
        long = until - lease.position >= LONG and (os.cpu_count() or 1) >= SHARES
        return (long and await self._nobody_writes()) or await self.begun(lease.generation)

    async def forget(self, rows: Rows) -> None:
        """What was begun is not gone on with."""
        for name in NAMES:
            await forget(rows, name)

    async def fill(self, lease: Lease, until: int, done: Callable[[int], None]) -> Lease:
        """Returns once both are at that position, or where the farther one was before, and the rebuild's own lease
        with them.

        Raises LeaseLost, Stopped, Unavailable.
        """
        reached = await self._leases.renewing(lease, lease.position, self._both(lease, until, done))
        there = await self._engine.log.digests([reached])
        async with self._engine.database.transaction() as rows:
            await self._leases.advance(rows, lease, lease.position, reached, there[reached][1])
            await self.forget(rows)
        return replace(lease, position=reached)

    async def _both(self, of: Lease, until: int, done: Callable[[int], None]) -> int:
        own, others = [await self._taken(name, of) for name in NAMES]
        until = max(until, own.position, others.position)
        other = _OtherProcess(self._settings, others, until)
        feed = Yielding(self._engine.log, told_to(0))
        filling = asyncio.ensure_future(fill(self._engine, self._leases, own, until, feed, done))
        try:
            await asyncio.gather(filling, other.ended())
            return until
        finally:
            filling.cancel()
            await asyncio.gather(filling, other.close(), return_exceptions=True)
            for lease in (own, others):
                await self._leases.release(lease)

    async def _nobody_writes(self) -> bool:
        head = await self._engine.log.head()
        await asyncio.sleep(LISTEN_SECONDS)
        return await self._engine.log.head() == head

    async def _taken(self, name: str, of: Lease) -> Lease:
        """The lease of a share, where it was left if that is of this rebuild."""
        lease, before = await builders_lease(self._leases, name)
        if (before.generation, before.log_id) == (of.generation, str(self._engine.log.log_id)):
            return lease
        async with self._engine.database.transaction() as rows:
            return await self._leases.reset(rows, lease, of.generation, of.position, filled_by=of.name)


class _OtherProcess:
    """Fills the tables with the share that is not this process's own. It ends when this process does."""

    def __init__(self, settings: Settings, lease: Lease, until: int) -> None:
        processes = multiprocessing.get_context("spawn")
        self._told, tell = processes.Pipe(duplex=False)
        self._process = processes.Process(target=_other_share, args=(settings, lease, until, tell), daemon=True)
        self._process.start()
        tell.close()  # this process's copy: else nobody would notice that the other has ended

    async def ended(self) -> None:
        """Raises what it raised."""
        try:
            failure = await asyncio.to_thread(self._told.recv)
        except EOFError:
            raise Stopped("the process that fills the tables beside this one has ended before its time") from None
        if failure is not None:
            raise failure

    async def close(self) -> None:
        """Wherever it is by now."""
        self._process.kill()
        await asyncio.to_thread(self._process.join)


def _other_share(settings: Settings, lease: Lease, until: int, tell: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells both, and whoever started this one ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settle()
    failure: Exception | None = None
    try:
        uvloop.run(_fill_other(settings, lease, until))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where somebody waits for it
        failure = error
    with suppress(OSError):
        tell.send(failure)


async def _fill_other(settings: Settings, lease: Lease, until: int) -> None:
    async with open_engine(settings, writing=False) as engine:
        feed = Yielding(engine.log, told_to(1))
        await fill(engine, await open_leases(engine), lease, until, feed, lambda _: None)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
