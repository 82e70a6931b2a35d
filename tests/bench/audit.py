"""`python -m tests.bench.audit [events]`: verifying a store, proving an event, and what the tree costs beside a create,
at 1,000,000 events on both engines.

One create to ten edits, written into the log in bulk. Rates count processor time of the process that works: on another
core, PostgreSQL works for it.
"""

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psutil

from domain.event import ActEvent
from projections.audit_tree import FOLLOWER, AuditTree
from projections.follower import Follower
from projections.merkle import root
from service.audit.auditing import open_tree
from service.audit.checkpoint import origin_of, signed
from service.audit.checkpoints import Checkpoints
from service.audit.leaf_feed import LeafFeed
from service.audit.notes import Signer
from service.audit.proofs import Proofs
from service.audit.signing_key import ensure_signing_key
from service.audit.tree import Tree
from service.engines import open_engine
from service.leases import open_leases
from service.read_model_commands import rebuild
from service.settings import Settings
from service.store.feed import Feed
from tests.audit import stores
from tests.bench.competitors import POSTGRES
from tests.bench.load import Load, measured
from tests.bench.traffic import REQUESTS
from tests.domain.examples import edited, reported
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

EVENTS = 1_000_000
EDITS = 10
VERIFY_MARK, MEMORY_MARK, PROOF_MARK, TREE_MARK = 60_000, 300, 5.0, 0.05
PROOFS = 500
CONNECTIONS, SECONDS = 32, 5


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        for name, url in (("SQLite", ""), ("PostgreSQL", postgres.create_database("audit"))):
            (folder / name).mkdir()
            service = ServiceProcess(folder / name, {"database_url": url, "rate_limit": "off"})
            leaf = asyncio.run(_build(Settings(data_dir=folder / name / "data", database_url=url), events))
            _say(f"{name}, {events:,} events: {_verified(service, events)}")
            with service:
                create = _create(service)
            share = f"{leaf / create:.1%} (mark: under {TREE_MARK:.0%})"
            _say(f"a leaf of the tree takes {leaf:.1f} µs, a create {create:.0f} µs: {share}")


async def _build(store: Settings, events: int) -> float:
    await stores.fill(store, islice(_history(), events))
    await rebuild(store)
    return await _prove(store)


def _verified(service: ServiceProcess, events: int) -> str:
    began = time.monotonic()
    command = subprocess.Popen(
        [sys.executable, "-m", "service", "audit", "verify"], env=service.environment, cwd=service.folder,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(command.pid, 0)
    if status:
        raise RuntimeError("the store is not sound")
    took, used = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    return (
        f"verified {events / used:,.0f} a second of processor time (mark: {VERIFY_MARK:,}), "
        f"{events / took:,.0f} by the clock, in {usage.ru_maxrss // 1024} MB (mark: under {MEMORY_MARK})"
    )


def _create(service: ServiceProcess) -> float:
    """Processor time of a create, in microseconds, all that follows it in the process included."""
    process, used = psutil.Process(service.pid), 0.0
    port, token = int(service.url.rpartition(":")[2]), service.token()
    for turn in range(2):  # the first warms up
        load = Load(port, REQUESTS["create"], token, None, turn * 1_000_003, CONNECTIONS)
        used = -sum(process.cpu_times()[:2])
        seen = measured(load, SECONDS)
        used += sum(process.cpu_times()[:2])
    return used / seen.requests * 1e6


async def _prove(store: Settings) -> float:
    """Build the tree, sign it, and ask for proofs; returns the microseconds of processor time that a leaf took."""
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
        return used / size * 1e6


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


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
