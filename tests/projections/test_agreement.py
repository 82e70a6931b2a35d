"""Whoever goes on from a position goes on only from a log that holds what was applied there."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from domain.event import ActEvent
from projections.agreement import OtherLog
from projections.audit_tree import FOLLOWER as TREE
from projections.follower import Stopped
from projections.generations import NothingKept
from projections.read_models import FOLLOWER
from projections.stream import FOLLOWER as PUBLISHER
from service import shares
from service.audit.errors import OtherHistory, TreeDiverged
from service.audit.rebuilding import rebuild as rebuild_tree
from service.audit.tree import Tree
from service.leases import open_leases
from service.read_model_commands import back, rebuild
from service.rebuilding import rebuilding
from service.status import follower_states
from service.store.feed import Feed
from tests.projections.building import Building
from tests.projections.histories import long_history
from tests.projections.test_audit_tree import grown
from tests.projections.test_shares import _filled
from tests.store.engines import engine_of

EVENTS = 6
HEAD = 2
BEYOND = f"the log ends at {HEAD}, and {{}} had applied {EVENTS} events: .* run `ims restored`"
ANOTHER = f"the event at position {EVENTS} is another one than {{}} had applied: .* run `ims restored`"

HISTORY = long_history(2 * EVENTS)
OTHER_HISTORY = long_history(EVENTS, first=100)


async def sql(build: Building, statement: str) -> None:
    path = build.settings.database_url or f"sqlite:///{build.settings.sqlite_path}"
    await engine_of(path).sql(statement)


async def put_back(build: Building, *then: ActEvent) -> None:
    """An older log is there, and this was appended since."""
    await sql(build, f"DELETE FROM log WHERE notification_id > {HEAD}")
    build.feed = Feed(build.engine.log)
    await build.feed.start()
    await build.record(*then)


async def followed(build: Building, *events: ActEvent) -> None:
    """By the read models, the tree, and the publisher, which had sent all."""
    await build.record(*events)
    await build.catch_up()
    await grown(build)
    await build.leases.register(PUBLISHER)
    lease = await build.leases.acquire(PUBLISHER)
    assert lease is not None
    digests = await build.engine.log.digests([len(events)])
    await build.leases.move(lease, 0, len(events), digests[len(events)][1])
    await build.leases.release(lease)


async def test_no_follower_goes_on_where_the_log_ends_before_its_position_or_has_another_event_there(
    build: Building,
) -> None:
    await followed(build, *HISTORY[:EVENTS])
    states = await follower_states(build.engine.log, build.leases)
    assert {state["failure"] for state in states} == {None}
    assert [state["position"] for state in states] == [EVENTS] * 3
    for then, told in (((), BEYOND), (OTHER_HISTORY, ANOTHER)):
        await put_back(build, *then)
        for name in (FOLLOWER, TREE, PUBLISHER):
            with pytest.raises(OtherLog, match=told.format(name)):
                await build.leases.acquire(name)
        with pytest.raises(Stopped, match=told.format(FOLLOWER)):
            await build.follower().run()
        state = await build.leases.state(FOLLOWER)
        assert state is not None
        assert "`ims restored`" in state.failure
        shown = {one["name"]: one["failure"] for one in await follower_states(build.engine.log, build.leases)}
        assert shown.keys() == {FOLLOWER, TREE, PUBLISHER}
        assert all("`ims restored`" in failure for failure in shown.values())
        tree = Tree(build.engine.database, build.leases, str(build.engine.log.log_id))
        for reading in (tree.size(), tree.tiles(), tree.nodes(1), tree.reach(1, 0)):
            with pytest.raises(OtherHistory):
                await reading
        with pytest.raises(TreeDiverged, match="nothing was switched"):
            await rebuild_tree(build.settings)
    await rebuild(build.settings)
    await build.record(*long_history(1, first=200))
    assert await build.catch_up() == HEAD + EVENTS + 1


async def test_a_release_that_keeps_no_digest_is_not_misjudged(build: Building) -> None:
    """It moves the position alone, in tables that it knows; its rows stand until this release has moved them."""
    await followed(build, *HISTORY[:EVENTS])
    await build.engine.database.execute("UPDATE followers SET position = position - 1, epoch = epoch + 1")
    assert {one["failure"] for one in await follower_states(build.engine.log, build.leases)} == {None}
    await build.leases.release(await build.lease())
    await build.engine.database.define(["DROP TABLE applied_events"])
    leases = await open_leases(build.engine)
    await build.leases.release(await build.lease())
    await put_back(build)
    with pytest.raises(OtherLog, match=f"ends at {HEAD}, and {FOLLOWER} had applied {EVENTS - 1}"):
        await leases.acquire(FOLLOWER)


async def test_several_processes_make_the_table_at_once(build: Building) -> None:
    await build.engine.database.define(["DROP TABLE applied_events"])
    await asyncio.gather(*(open_leases(build.engine) for _ in range(4)))
    await followed(build, *HISTORY[:EVENTS])


async def test_the_digest_goes_with_the_tables_through_a_rebuild_and_back(build: Building) -> None:
    await build.record(*HISTORY[:EVENTS])
    await build.catch_up()

    async def known() -> str:
        state = await build.leases.state(FOLLOWER)
        assert state is not None
        return state.digest

    digest = await known()
    assert len(digest) == 64
    await rebuild(build.settings)
    assert await known() == digest
    await build.record(*HISTORY[EVENTS:])
    await back(build.settings)
    assert await known() == (await build.engine.log.digests([2 * EVENTS]))[2 * EVENTS][1].hex()
    rows = await build.engine.database.fetch("SELECT follower, generation FROM applied_events ORDER BY generation")
    assert [tuple(row) for row in rows] == [(FOLLOWER, 1), (FOLLOWER, 2)]  # live, and kept


@pytest.mark.parametrize("then", [(), OTHER_HISTORY], ids=["beyond", "another"])
async def test_nobody_goes_back_to_tables_of_another_history(build: Building, then: tuple[ActEvent, ...]) -> None:
    await build.record(*HISTORY[:EVENTS])
    await build.catch_up()
    await rebuild(build.settings)
    await put_back(build, *then)
    with pytest.raises(NothingKept, match=r"nobody can go back to the tables that are kept: .*`ims restored`"):
        await back(build.settings)


async def _by_one(build: Building) -> None:
    async with rebuilding(build.settings, build.engine) as one:
        await one.begin(anew=True)
        await one.load("events", one.head)


async def _by_two(build: Building) -> None:
    async with rebuilding(build.settings, build.engine) as one:
        await one.begin(anew=True)
    for share in range(shares.SHARES):
        await _filled(build, share, EVENTS)


@pytest.mark.parametrize("begun", [_by_one, _by_two])
@pytest.mark.parametrize("then", [(), OTHER_HISTORY], ids=["beyond", "another"])
async def test_what_a_rebuild_left_of_another_history_is_not_gone_on_with(
    build: Building, begun: Callable[[Building], Awaitable[None]], then: tuple[ActEvent, ...]
) -> None:
    await build.record(*HISTORY[:EVENTS])
    await begun(build)
    await put_back(build, *then)
    await rebuild(build.settings)
    built = await build.dump(await _only_generation(build))
    await rebuild(build.settings, anew=True)
    assert await build.dump(await _only_generation(build)) == built


async def _only_generation(build: Building) -> int:
    """Of the live tables, where nothing is left of a rebuild."""
    (state,) = await build.leases.states()
    assert state.name == FOLLOWER
    return state.generation
