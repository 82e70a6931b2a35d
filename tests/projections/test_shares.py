"""A long log is gone through by two processes: the same tables, and what each of them was killed at is gone on with."""

import asyncio
import multiprocessing
from dataclasses import replace
from uuid import UUID

import pytest

from domain.event import ActEvent
from projections.follower import Stopped
from projections.read_models import FOLLOWER, REBUILD
from service import shares
from service.filling import fill
from service.projections_cli import Unused
from service.read_model_commands import drop, rebuild
from service.rebuilding import rebuilding
from service.yielding import Yielding
from tests.domain.examples import ONE_OF_EACH, comment_edited
from tests.projections.building import Building
from tests.projections.histories import long_history

HISTORY = 1_300


@pytest.fixture(autouse=True)
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "LONG", 5)
    monkeypatch.setattr("os.cpu_count", lambda: shares.SHARES)


async def _lived(build: Building, history: tuple[ActEvent, ...]) -> None:
    for start in range(0, len(history), step := 1 if len(history) < 20 else 190):
        await build.record(*history[start : start + step])
        await build.catch_up()


async def _followers(build: Building) -> dict[str, tuple[int, int]]:
    return {state.name: (state.generation, state.position) for state in await build.leases.states()}


@pytest.mark.parametrize("history", [ONE_OF_EACH, long_history(HISTORY)], ids=["one-of-each", "long"])
async def test_two_processes_fill_the_tables_as_one_does(build: Building, history: tuple[ActEvent, ...]) -> None:
    await _lived(build, history)
    await rebuild(build.settings)
    assert await build.dump(2) == await build.dump(1)
    assert await _followers(build) == {FOLLOWER: (2, len(history))}


@pytest.mark.parametrize("share", range(shares.SHARES))
async def test_what_one_of_them_had_filled_is_gone_on_with(build: Building, share: int) -> None:
    await _lived(build, long_history(HISTORY))
    async with rebuilding(build.settings, build.engine) as one:
        await one.begin(anew=True)
    await _filled(build, share, HISTORY // 2)
    await rebuild(build.settings)
    assert await build.dump(2) == await build.dump(1)
    assert await _followers(build) == {FOLLOWER: (2, HISTORY)}


async def _filled(build: Building, share: int, until: int) -> None:
    """As a rebuild that was killed leaves it."""
    await build.leases.register(shares.NAMES[share])
    lease = await build.leases.acquire(shares.NAMES[share])
    assert lease is not None
    async with build.engine.database.transaction() as rows:
        lease = await build.leases.reset(rows, lease, 2)
    feed = Yielding(build.engine.log, shares.told_to(share))
    await build.leases.release(await fill(build.engine, build.leases, lease, until, feed, lambda _: None))


async def test_what_was_begun_is_dropped_by_whoever_begins_anew(build: Building) -> None:
    await _lived(build, ONE_OF_EACH)
    async with rebuilding(build.settings, build.engine) as one:
        await one.begin(anew=True)
    await _filled(build, 1, 3)
    await rebuild(build.settings, anew=True)
    assert await build.dump(3) == await build.dump(1)


async def test_what_was_dropped_unfinished_is_not_gone_on_with(build: Building) -> None:
    await _lived(build, ONE_OF_EACH)
    async with rebuilding(build.settings, build.engine) as one:
        await one.begin(anew=True)
    await _filled(build, 1, 3)
    await drop(build.settings, Unused.UNFINISHED)
    await rebuild(build.settings)
    assert (await _followers(build))[FOLLOWER] == (2, len(ONE_OF_EACH))
    assert await build.dump(2) == await build.dump(1)


async def test_one_that_is_farther_than_the_goal_is_met_there(build: Building) -> None:
    await _lived(build, long_history(200))
    await build.record(*long_history(100, first=201))
    async with rebuilding(build.settings, build.engine) as one:
        await one.begin(anew=True)
    await _filled(build, 0, 300)
    await rebuild(build.settings)
    assert (await _followers(build))[FOLLOWER] == (2, 300)
    await build.catch_up()
    other = await build.dump(2)
    await rebuild(build.settings)
    assert await build.dump(3) == other


@pytest.mark.parametrize("share", range(shares.SHARES))
async def test_an_event_that_cannot_be_applied_stops_both(build: Building, share: int) -> None:
    unheard_of = replace(comment_edited(0, "a", "b"), originator_id=UUID(int=10**12 + share))
    await build.record(*long_history(10), unheard_of)
    with pytest.raises(Stopped, match="positions 1 to 11: LookupError"):
        await rebuild(build.settings)
    states = {state.name: state for state in await build.leases.states()}
    assert not any(states[name].holder for name in (REBUILD, *shares.NAMES))


async def test_while_somebody_writes_one_process_is_enough(build: Building) -> None:
    await _lived(build, ONE_OF_EACH)
    one = shares.Shares(build.settings, build.engine, build.leases)
    lease = await build.lease()
    assert await one.wanted(replace(lease, position=0), len(ONE_OF_EACH))
    writing = asyncio.create_task(build.record(*long_history(1_000, first=2)))
    assert not await one.wanted(replace(lease, position=0), len(ONE_OF_EACH))
    writing.cancel()


async def test_the_other_process_may_be_killed_and_the_next_rebuild_goes_on(build: Building) -> None:
    await _lived(build, long_history(HISTORY))
    running = asyncio.create_task(rebuild(build.settings))
    while not (others := multiprocessing.active_children()):
        await asyncio.sleep(0.01)
    others[0].kill()
    with pytest.raises(Stopped, match="has ended before its time"):
        await running
    await rebuild(build.settings)
    generation, position = (await _followers(build))[FOLLOWER]
    assert generation > 1
    assert position == HISTORY
    assert await build.dump(generation) == await build.dump(1)
