"""The auditor of a process: what it is made of, and how a tree is begun anew for another log."""

from collections.abc import Callable
from typing import NamedTuple

from projections.audit_tree import FOLLOWER, AuditTree
from projections.follower import Follower
from projections.lease import Lease, Leases
from projections.leaves import Leaf
from projections.stream import FOLLOWER as PUBLISHER
from projections.tiles import Tiles
from service.audit.checkpoint import origin_of
from service.audit.checkpoints import Checkpoints
from service.audit.leaf_feed import LeafFeed
from service.audit.notary import Notary
from service.audit.notes import Signer
from service.audit.signing_key import ensure_signing_key
from service.audit.tree import Tree
from service.audit.verify.sampler import Sampler
from service.engines import Engine
from service.settings import Settings
from service.store.feed import Feed

PAUSE_SECONDS, PAUSE_SECONDS_PER_EVENT = 0.5, 0.01
"""Between two batches: nobody waits for the tree but who asks for a checkpoint, and that cuts it short."""


class Auditing(NamedTuple):
    """`sampler` is None where nothing is verified in the background."""

    follower: Follower[Leaf]
    notary: Notary
    sampler: Sampler | None

    @property
    def divergence(self) -> str:
        """What contradicts what was signed or recorded; empty where nothing is known of."""
        return self.notary.refusal or (self.sampler.divergence if self.sampler is not None else "")


async def auditor(
    settings: Settings, engine: Engine, feed: Feed, leases: Leases, tree: Tree, checkpoints: Checkpoints,
    noticed: Callable[[str, str], None],
) -> Auditing | None:  # fmt: skip
    """None where this process is none. Raises LocalKeyUnusable."""
    if "auditor" not in settings.run:
        return None
    await open_tree(engine, leases)
    signer = Signer(origin_of(engine.log.log_id), ensure_signing_key(settings.checkpoint_key))
    await checkpoints.trust(signer.verifier)
    follower = Follower(
        FOLLOWER, LeafFeed(feed, engine.log), AuditTree(engine.database, leases), leases,
        _nowhere, noticed, PAUSE_SECONDS, PAUSE_SECONDS_PER_EVENT,
    )  # fmt: skip
    notary = Notary(tree, checkpoints, signer, follower, settings.checkpoint_interval, settings.read_timeout)
    sampler = Sampler(engine.log, tree, settings.verify_rate) if settings.verify_rate else None
    return Auditing(follower, notary, sampler)


async def open_tree(engine: Engine, leases: Leases) -> None:
    """A row for its follower and the tables that it goes on with."""
    await leases.register(FOLLOWER)
    state = await leases.state(FOLLOWER)
    generation = 1 if state is None else state.generation
    await engine.database.define(Tiles(engine.database.dialect, generation).tables())


async def begin_anew_for_another_log(engine: Engine, leases: Leases) -> None:
    """Where the tree is of another log than the one that is there, a tree of this one is begun; where the publisher's
    position is, it looks anew how far the streams of this one are."""
    published = await leases.state(PUBLISHER)
    if published is not None and published.log_id != str(engine.log.log_id):
        await leases.forget(PUBLISHER)
    state = await leases.state(FOLLOWER)
    if state is None or state.log_id == str(engine.log.log_id):
        return
    lease = await leases.acquire(FOLLOWER, anew=True)
    if lease is None:
        return  # whoever holds it is of this log
    dialect = engine.database.dialect
    old, new = Tiles(dialect, lease.generation), Tiles(dialect, lease.generation + 1)
    await engine.database.define([*new.removal(), *new.tables()])
    async with engine.database.transaction(durable=True) as rows:
        lease = await leases.reset(rows, lease, lease.generation + 1)
    await leases.release(lease)
    await leases.forget_tables(FOLLOWER, [lease.generation])
    await engine.database.define(old.removal())


def _nowhere(_lease: Lease, _position: int) -> None:
    """Who waits for the tree asks the database."""
