"""`python -m tests.bench.audit [events]`: verifying a store, and proving an event, at 1,000,000 events on both engines.

One create to ten edits, written into the log in bulk. Rates count processor time of the verifying process: on another
core, PostgreSQL works for it.
"""

import asyncio
import random
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from domain.event import ActEvent
from projections.audit_tree import FOLLOWER, AuditTree
from projections.follower import Follower
from projections.merkle import root
from service.app import open_leases
from service.audit.auditing import open_tree
from service.audit.checkpoint import origin_of, signed
from service.audit.checkpoints import Checkpoints
from service.audit.leaf_feed import LeafFeed
from service.audit.notes import Signer
from service.audit.proofs import Proofs
from service.audit.signing_key import ensure_signing_key
from service.audit.tree import Tree
from service.audit.verify.database import verify_store
from service.engines import open_engine
from service.read_model_commands import rebuild
from service.settings import Settings
from service.store.feed import Feed
from tests.audit import stores
from tests.bench.competitors import POSTGRES
from tests.domain.examples import edited, reported
from tests.servers.postgres import Postgres

EVENTS = 1_000_000
EDITS = 10
VERIFY_MARK, MEMORY_MARK, PROOF_MARK = 60_000, 300, 5.0
PROOFS = 500


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    with TemporaryDirectory(prefix="ims-bench-") as folder:
        asyncio.run(_measure("SQLite", stores.sqlite(Path(folder) / "sqlite"), events))
        with Postgres(**POSTGRES) as postgres:
            url = postgres.create_database("audit")
            asyncio.run(_measure("PostgreSQL", stores.postgres(url, Path(folder) / "postgres"), events))


async def _measure(name: str, store: Settings, events: int) -> None:
    await stores.fill(store, islice(_history(), events))
    await rebuild(store)
    rate = await _prove(store)
    began, used = time.monotonic(), time.process_time()
    _, findings = await verify_store(store, [], [])
    used, took = time.process_time() - used, time.monotonic() - began
    assert not findings.count, list(findings)
    _say(
        f"{name}, {events:,} events: verified {events / used:,.0f} a second of processor time (mark: {VERIFY_MARK:,}), "
        f"{events / took:,.0f} by the clock; at most {_megabytes():,.0f} MB (mark: {MEMORY_MARK}); "
        f"the tree took {rate:,.0f} a second"
    )


async def _prove(store: Settings) -> float:
    """Build the tree, sign it, and ask for proofs; returns how many leaves a second the tree took."""
    async with open_engine(store) as engine:
        leases = await open_leases(engine)
        await open_tree(engine, leases)
        feed = Feed(engine.log)
        await feed.start()
        target = AuditTree(engine.database, leases)
        follower = Follower(FOLLOWER, LeafFeed(feed, engine.log), target, leases, lambda *_: None, lambda *_: None)
        lease = await leases.acquire(FOLLOWER)
        assert lease is not None
        used = time.process_time()
        size = await follower.follow(lease, feed.head.value)
        used = time.process_time() - used
        await leases.release(lease)
        tree, checkpoints = Tree(engine.database, leases, str(engine.log.log_id)), Checkpoints(engine.kept)
        signer = Signer(origin_of(engine.log.log_id), ensure_signing_key(store.checkpoint_key))
        await checkpoints.trust(signer.verifier)
        await checkpoints.add(signed(signer, size, root(size, await tree.nodes(size))))
        taken = [await _timed(Proofs(engine.log, feed, tree, checkpoints, None), size) for _ in range(PROOFS)]
        _say(f"an inclusion proof at {size:,} leaves: median {statistics.median(taken):.2f} ms, "
             f"p99 {sorted(taken)[len(taken) * 99 // 100]:.2f} ms (mark: {PROOF_MARK:g})")  # fmt: skip
        return size / used


async def _timed(proofs: Proofs, size: int) -> float:
    position = random.randint(1, size)
    began = time.perf_counter()
    assert await proofs.inclusion("acme", position) is not None
    return (time.perf_counter() - began) * 1_000


def _history() -> Iterator[ActEvent]:
    for number in count(1):
        id = UUID(int=random.getrandbits(128), version=4)
        yield replace(reported({"count": number}, name=f"Number {number}"), originator_id=id)
        for version in range(1, EDITS + 1):
            before, after = f"Number {number}, {version - 1}", f"Number {number}, {version}"
            yield replace(edited(version, name=(before, after)), originator_id=id)


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
