"""Read models that are built beside the live ones: loaded from the log, compared, switched to, kept to go back to."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from domain.event import Fact
from projections.agreement import disagreement
from projections.comparison import Differences, differences
from projections.database import Rows
from projections.follower import BATCH
from projections.follower_state import FollowerState
from projections.generations import KeptGeneration, NothingKept, removal
from projections.lease import Lease, Leases
from projections.read_models import FOLLOWER, REBUILD, ReadModels
from service.builders import builders_lease, held
from service.engines import Engine
from service.filling import fill
from service.generations import drop_unused, of_this_release, read_models
from service.leases import open_leases
from service.progress import progress
from service.settings import Settings
from service.shares import Shares
from service.store.history import plainly_told
from service.yielding import Yielding


class Rebuilding:
    """One that holds the lease of whoever builds. Every method raises LeaseLost, Unavailable and Stopped.

    `spoilt`: why nobody can go on with what a rebuild left unfinished; empty where it can be gone on with.
    """

    def __init__(self, settings: Settings, engine: Engine, leases: Leases, lease: Lease, spoilt: str) -> None:
        self._engine, self._leases, self._lease, self._spoilt = engine, leases, lease, spoilt
        self._shares = Shares(settings, engine, leases)
        self._kept = KeptGeneration(engine.database, FOLLOWER)
        self._feed = Yielding(engine.log, plainly_told)

    @property
    def lease(self) -> Lease:
        return self._lease

    async def begin(self, *, anew: bool) -> bool:
        """Empty tables of a new generation; or those that a rebuild left unfinished, unless `anew`. Returns which."""
        live, kept = await self._live(), await self._kept.get()
        used = {live.generation} | ({kept.generation} if kept else set())
        there = await of_this_release(self._engine)
        number, position = self._lease.generation, self._lease.position
        begun = position > 0 or await self._shares.begun(number)
        sound = not self._spoilt and await self._shares.agree()
        resumed = not anew and begun and sound and number in there and number not in used
        await self._engine.database.define(
            removal([name for other in there.keys() - used - ({number} if resumed else set()) for name in there[other]])
        )
        if not resumed:
            await self._go_on(max(there.keys() | used) + 1, 0)
        await self._engine.database.define(self._models().tables())
        return resumed

    async def begin_from_kept(self) -> None:
        """Raises NothingKept."""
        kept = await self._kept.get()
        if kept is None or kept.generation not in await of_this_release(self._engine):
            raise NothingKept("no earlier tables are kept")
        if kept.log_id != str(self._engine.log.log_id):
            raise NothingKept("the tables that are kept were built from another log")
        begun = self._lease.generation == kept.generation
        if spoilt := (self._spoilt if begun else await disagreement(kept, self._engine.log)):
            raise NothingKept(f"nobody can go back to the tables that are kept: {spoilt}")
        await self._go_on(kept.generation, self._lease.position if begun else kept.position)

    async def give_up(self) -> None:
        """Drop what a rebuild left unfinished."""
        await self._go_on(0, 0)
        await drop_unused(self._engine, self._leases)

    async def load(self, what: str, goal: Callable[[], Awaitable[int]], *, shared: bool = False) -> None:
        """Until as good as nothing is left to the goal, which may move meanwhile.

        `shared`: by two processes where there is much to do, and also where two have begun.
        """
        until = await goal()
        with progress(what, until) as done:
            while True:
                if until > self._lease.position:
                    self._lease = await self._filled(until, done, shared=shared)
                until = await goal()
                if until - self._lease.position <= BATCH:
                    return

    async def head(self) -> int:
        return await self._engine.log.head()

    async def where_the_live_ones_are(self) -> int:
        """The head, where there is nothing to compare with."""
        live = await self._live()
        return live.position if await self._comparable(live) else await self.head()

    async def index(self) -> None:
        statements = self._models().indexes()
        await self._patiently(self._engine.database.build(statements))

    async def compare(self) -> Differences | None:
        """With the live ones, both at the same position; None where there is nothing to compare with."""
        return await self._patiently(self._compare())

    async def switch(self, keep: float | None) -> None:
        """From the very position at which the live ones are. `keep`: seconds that those are kept, None for ever."""
        async with self._engine.database.transaction(durable=True) as rows:
            live = await self._leases.fence(rows, FOLLOWER)
            comparable = await self._comparable(live)
            position, digest = self._lease.position, None
            if comparable:
                position = max(position, live.position)
                digest = await self._apply(rows, position)
            await self._leases.switch(rows, FOLLOWER, self._lease, position, digest)
            if comparable:
                await self._kept.set(rows, live, keep)
            else:
                await self._kept.forget(rows)
        await drop_unused(self._engine, self._leases)

    async def _filled(self, until: int, done: Callable[[int], None], *, shared: bool) -> Lease:
        if shared and await self._shares.wanted(self._lease, until):
            return await self._shares.fill(self._lease, until, done)
        return await fill(self._engine, self._leases, self._lease, until, self._feed, done)

    async def _compare(self) -> Differences | None:
        async with self._engine.database.trial() as rows:
            live = await self._leases.state(FOLLOWER, rows)
            if live is None or not await self._comparable(live) or live.position < self._lease.position:
                return None
            await self._apply(rows, live.position)
            return await differences(
                self._engine.database, rows, self._made(live.generation).compared(), self._models().compared()
            )

    async def _apply(self, rows: Rows, until: int) -> bytes | None:
        """What is left to that position, within somebody's transaction; the follower's row stays where it is.

        Returns the digest of the last event, None where nothing was left.
        """
        position, models, digest = self._lease.position, self._models(), None
        while position < until:
            batch: Sequence[Fact] = await self._feed.after(position, min(BATCH, until - position), 0)
            while batch:
                fold = models.fold()
                taken = await fold.add(rows, batch)
                await models.write(rows, fold.changes())
                position, digest = batch[taken - 1].position, batch[taken - 1].digest
                batch = batch[taken:]
        return digest

    async def _go_on(self, generation: int, position: int) -> None:
        """Whoever was about to go back left the kept tables further than they were."""
        async with self._engine.database.transaction(durable=True) as rows:
            await self._kept.moved(rows, self._lease.name, self._lease.generation, self._lease.position)
            await self._shares.forget(rows)
            filled_by = self._lease.name if generation == self._lease.generation else FOLLOWER
            self._lease = await self._leases.reset(rows, self._lease, generation, position, filled_by=filled_by)

    async def _patiently(self, work: Awaitable[Differences | None]) -> Differences | None:
        return await self._leases.renewing(self._lease, self._lease.position, work)

    async def _live(self) -> FollowerState:
        live = await self._leases.state(FOLLOWER)
        if live is None:
            raise LookupError(f"no follower is called {FOLLOWER}")
        return live

    async def _comparable(self, live: FollowerState) -> bool:
        """Whether the live ones are of what this log holds."""
        return live.position > 0 and not await self._leases.disagreement(live)

    def _made(self, generation: int) -> ReadModels:
        return read_models(self._engine, generation)

    def _models(self) -> ReadModels:
        return self._made(self._lease.generation)


@asynccontextmanager
async def rebuilding(settings: Settings, engine: Engine) -> AsyncIterator[Rebuilding]:
    """`engine` as the settings say. Raises InUse where another rebuild is running."""
    leases = await open_leases(engine)
    lease, before = await builders_lease(leases, REBUILD)
    spoilt = await leases.disagreement(before)
    if spoilt:
        lease = replace(lease, position=0)
    one = Rebuilding(settings, engine, leases, lease, spoilt)
    async with held(leases, one):
        yield one
