"""The audit tree built anew from the log beside the live one, compared with it, switched to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

from projections.agreement import WAY_OUT
from projections.audit_tree import FOLLOWER, REBUILD, AuditTree
from projections.comparison import MAX_SHOWN
from projections.follower import Follower
from projections.lease import Lease, Leases
from projections.leaves import Leaf
from projections.merkle import Nodes, root
from projections.tiles import HASH_BYTES, TILE, Tiles, generations, hashes_of
from service.audit.auditing import open_tree
from service.audit.checkpoint import origin_of
from service.audit.checkpoints import Checkpoints
from service.audit.errors import TreeDiverged
from service.builders import builders_lease, held
from service.engines import Engine, open_engine
from service.leases import open_leases
from service.progress import progress
from service.settings import Settings
from service.store.log import Log

BATCH = 2_000
"""Leaves in one transaction."""
TILES = 64
"""Tiles that are compared at once."""
GRACE_SECONDS = 1.0
"""How long the tiles of before stay for whoever has just begun to read them."""


class TreeDifferences(NamedTuple):
    """`root` is of what was built; `shown` names the first of the `total` hashes that the live one has otherwise."""

    size: int
    root: bytes
    total: int
    shown: list[str]


class _Leaves:
    """A follower's feed of all leaves; it waits for nothing."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def after(self, position: int, limit: int, _timeout: float) -> Sequence[Leaf]:
        return await self._log.leaves(position, limit)


class TreeRebuilding:
    """One that holds the lease of whoever builds."""

    def __init__(self, engine: Engine, leases: Leases, lease: Lease) -> None:
        self._engine, self._leases, self.lease = engine, leases, lease
        self._tree = AuditTree(engine.database, leases)

    async def begin(self) -> None:
        """An empty tree. What a rebuild left unfinished goes: a tree is built quickly."""
        live = await self._leases.state(FOLLOWER)
        used = 0 if live is None else live.generation
        await self._drop_others(used)
        async with self._engine.database.transaction(durable=True) as rows:
            self.lease = await self._leases.reset(rows, self.lease, used + 1)
        await self._engine.database.define(self._tiles(used + 1).tables())

    async def load(self) -> None:
        until = await self._engine.log.head()
        with progress("leaves", until) as done:
            follower: Follower[Leaf] = Follower(
                REBUILD, _Leaves(self._engine.log), self._tree, self._leases,
                lambda _, position: done(position), lambda *_: None, batch=BATCH,
            )  # fmt: skip
            self.lease = replace(self.lease, position=await follower.follow(self.lease, until))

    async def vouched(self) -> None:
        """Raises TreeDiverged where what was signed, or may have been, contradicts the log as it is.

        A live tree of the same log that the log does not hold is such a case: signing another one would fork the log.
        """
        live = await self._leases.state(FOLLOWER)
        of_this_log = live is not None and live.log_id == str(self._engine.log.log_id)
        if live is not None and of_this_log and (problem := await self._leases.disagreement(live)):
            raise TreeDiverged(f"{problem}; nothing was switched")
        signed = await Checkpoints(self._engine.kept).newest(origin_of(self._engine.log.log_id))
        if signed is None:
            return
        if signed.size > self.lease.position:
            raise TreeDiverged(
                f"the log ends at {self.lease.position}, and a checkpoint of {signed.size} events was signed: "
                f"{WAY_OUT}; nothing was switched"
            )
        if root(signed.size, await self._nodes(signed.size)) != signed.root:
            raise TreeDiverged(
                f"the log does not give the root that was signed at {signed.size} events: nothing was switched, "
                f"`ims audit verify` names what was altered; where {WAY_OUT}"
            )

    async def compare(self) -> TreeDifferences | None:
        """With the live one at the size that both have; None where there is nothing to compare with."""
        live = await self._leases.state(FOLLOWER)
        if live is None or not live.position or live.log_id != str(self._engine.log.log_id):
            return None
        size = min(live.position, self.lease.position)
        total, shown = 0, list[str]()
        old, new = self._tiles(live.generation), self._tiles(self.lease.generation)
        async for level, number in self._differing(old, new, size):
            total += 1
            if len(shown) < MAX_SHOWN:
                shown.append(f"position {number + 1}" if level == 0 else f"hash {number} of level {level}")
        return TreeDifferences(size, root(size, await self._nodes(size)), total, shown)

    async def switch(self) -> None:
        """From the very position at which the live one is."""
        async with self._engine.database.transaction(durable=True) as rows:
            live = await self._leases.fence(rows, FOLLOWER)
            position, digest = self.lease.position, None
            while live.log_id == str(self._engine.log.log_id) and position < live.position:
                batch = await self._engine.log.leaves(position, min(BATCH, live.position - position))
                await self._tree.grow(rows, self.lease.generation, position, batch)
                position, digest = batch[-1].position, batch[-1].digest
            await self._leases.switch(rows, FOLLOWER, self.lease, position, digest)
        await asyncio.sleep(GRACE_SECONDS)
        await self._drop_others(self.lease.generation)

    async def give_up(self) -> None:
        """Drop what was built."""
        live = await self._leases.state(FOLLOWER)
        await self._leases.forget(REBUILD)
        await self._drop_others(0 if live is None else live.generation)

    async def _differing(self, live: Tiles, built: Tiles, size: int) -> AsyncIterator[tuple[int, int]]:
        """Level and number of each hash."""
        level, hashes = 0, size
        while hashes:
            for first in range(0, -(-hashes // TILE), TILES):
                old = dict(await live.of_level(self._engine.database, level, first, TILES))
                new = dict(await built.of_level(self._engine.database, level, first, TILES))
                for tile in range(first, min(first + TILES, -(-hashes // TILE))):
                    count = min(TILE, hashes - tile * TILE)
                    before, after = (one.get(tile, b"")[: count * HASH_BYTES] for one in (old, new))
                    if before != after:
                        pairs = zip_longest(hashes_of(before), hashes_of(after))
                        for place, (one, other) in enumerate(pairs):
                            if one != other:
                                yield level, tile * TILE + place
            level, hashes = level + 1, hashes // TILE

    async def _nodes(self, size: int) -> Nodes:
        return await self._tiles(self.lease.generation).nodes(self._engine.database, size)

    async def _drop_others(self, used: int) -> None:
        await self._leases.forget_tables(FOLLOWER, [used])
        there = await generations(self._engine.database)
        statements = (self._tiles(number).removal() for number in there if number != used)
        await self._engine.database.define([one for many in statements for one in many])

    def _tiles(self, generation: int) -> Tiles:
        return Tiles(self._engine.database.dialect, generation)


async def rebuild(settings: Settings) -> None:
    """Build beside the live tiles, compare, switch. Raises InUse, Stopped, Unavailable, TreeDiverged."""
    async with open_engine(settings, existing=True) as engine, tree_rebuilding(engine) as one:
        await one.begin()
        await one.load()
        try:
            await one.vouched()
        except TreeDiverged:
            await one.give_up()
            raise
        _tell(await one.compare())
        await one.switch()


@asynccontextmanager
async def tree_rebuilding(engine: Engine) -> AsyncIterator[TreeRebuilding]:
    """Raises InUse where another rebuild is running."""
    leases = await open_leases(engine)
    await open_tree(engine, leases)
    lease, _ = await builders_lease(leases, REBUILD)
    one = TreeRebuilding(engine, leases, lease)
    async with held(leases, one):
        yield one


def _tell(found: TreeDifferences | None) -> None:
    if found is None:
        print("nothing to compare with")  # noqa: T201
        return
    print(f"{found.total} hashes differ from the live tree; root at {found.size} events: {found.root.hex()}")  # noqa: T201
    for text in found.shown:
        print(f"  {text}")  # noqa: T201
