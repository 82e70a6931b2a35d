"""The audit follower: the tree has every event, read or not, whatever batches they come in, and stops at a hole."""

import pytest

from projections.audit_tree import FOLLOWER, AuditTree
from projections.follower import Follower, Stopped
from projections.leaves import Leaf
from projections.merkle import root
from service.audit.auditing import begin_anew_for_another_log, open_tree
from service.audit.leaf_feed import LeafFeed
from service.audit.tree import Tree
from tests.audit.recursive import mth
from tests.projections.building import Building
from tests.projections.histories import long_history
from tests.store.engines import engine_of


async def grown(build: Building, until: int | None = None) -> int:
    """Follow to a position, or to the log's end."""
    await open_tree(build.engine, build.leases)
    await build.feed.catch_up()
    lease = await build.leases.acquire(FOLLOWER)
    assert lease is not None
    try:
        feed, target = LeafFeed(build.feed, build.engine.log), AuditTree(build.engine.database, build.leases)
        follower: Follower[Leaf] = Follower(FOLLOWER, feed, target, build.leases, lambda *_: None, lambda *_: None)
        return await follower.follow(lease, until=until or build.feed.head.value)
    finally:
        await build.leases.release(lease)


async def root_of(build: Building, size: int) -> bytes:
    return root(size, await Tree(build.engine.database, build.leases, str(build.engine.log.log_id)).nodes(size))


async def leaves(build: Building) -> list[bytes]:
    return [leaf.text.encode() for leaf in await build.engine.log.leaves(0, 10_000)]


async def test_the_tree_has_every_event_whatever_batches_they_come_in(build: Building) -> None:
    events = long_history(270)
    await build.record(*events[:1])
    assert await grown(build) == 1
    await build.record(*events[1:256])
    assert await grown(build) == 256
    await build.record(*events[256:])
    assert await grown(build) == 270
    data = await leaves(build)
    for size in (1, 2, 255, 256, 257, 270):
        assert await root_of(build, size) == mth(data[:size])


async def test_an_event_that_cannot_be_read_has_its_leaf(sqlite: Building) -> None:
    await sqlite.record(*long_history(3))
    data = await leaves(sqlite)
    sql = engine_of(f"sqlite:///{sqlite.engine.log._file.path}").sql  # type: ignore[attr-defined]
    await sql("UPDATE log SET state = NULL, salt = NULL WHERE notification_id = 2")
    await sql("UPDATE log SET state = salt WHERE notification_id = 3")
    assert await grown(sqlite) == 3
    assert await root_of(sqlite, 3) == mth(data)


async def test_a_hole_stops_it_and_is_named(sqlite: Building) -> None:
    await sqlite.record(*long_history(4))
    sql = engine_of(f"sqlite:///{sqlite.engine.log._file.path}").sql  # type: ignore[attr-defined]
    await sql("DELETE FROM log WHERE notification_id = 3")
    sqlite.feed._window.clear()
    with pytest.raises(Stopped, match="position 3 is missing"):
        await grown(sqlite, until=4)


async def test_another_log_begins_another_tree(build: Building) -> None:
    await build.record(*long_history(5))
    await grown(build)
    await build.engine.log.restore()
    await begin_anew_for_another_log(build.engine, build.leases)
    state = await build.leases.state(FOLLOWER)
    assert state is not None
    assert (state.generation, state.position, state.log_id) == (2, 0, str(build.engine.log.log_id))
    assert await grown(build) == 5
    assert await root_of(build, 5) == mth(await leaves(build))
