"""Times in the database that were written under a clock which was ahead: what nobody can honestly hold is free."""

from asyncio import create_task
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from projections.audit_tree import FOLLOWER as TREE
from projections.audit_tree import REBUILD as TREE_REBUILD
from projections.follower_state import CLOCK_SECONDS, LEASE_SECONDS, FollowerState
from projections.generations import KeptGeneration
from projections.lease import LeaseLost, Leases
from projections.read_models import FOLLOWER, REBUILD, VERSION, follower_of
from projections.stream import FOLLOWER as PUBLISHER
from service.audit.rebuilding import rebuild as rebuild_tree
from service.generations import expire
from service.leases import idle_leases
from service.projections_cli import Unused
from service.read_model_commands import drop, rebuild
from service.shares import NAMES
from service.status import follower_states
from service.store.errors import InUse
from service.stream_commands import restored
from tests.domain.examples import reported
from tests.projections.building import Building, building, soon

DAY = 86_400.0
EVERY_NAME = (FOLLOWER, PUBLISHER, TREE, REBUILD, TREE_REBUILD, *NAMES, follower_of(VERSION - 1))


@pytest.fixture(params=["sqlite", "postgres"])
async def build(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Building]:
    """As where other processes may be there, on SQLite too."""
    dsn = request.getfixturevalue("postgres_dsn") if request.param == "postgres" else ""
    async with building(tmp_path, dsn, exclusive=False) as build:
        for name in EVERY_NAME:
            await build.leases.register(name)
        yield build


async def held_by_the_dead(build: Building, seconds: float, holder: str = "dead:1") -> None:
    """As a process leaves it that was killed while the database's clock was ahead; a failover to a server whose clock
    is behind looks the same."""
    now = build.engine.database.dialect.now
    await build.engine.database.execute(f"UPDATE followers SET holder = '{holder}', expires_at = {now} + {seconds:f}")


def leases_of(build: Building, holder: str, told: list[str]) -> Leases:
    return Leases(
        build.engine.database, holder, build.engine.log, noticed=lambda event, what: told.append(event + what)
    )


@pytest.mark.parametrize("seconds", [LEASE_SECONDS + CLOCK_SECONDS + 1, DAY, 10 * 365 * DAY])
async def test_a_lease_that_expires_later_than_any_holder_can_have_asked_for_is_free(
    build: Building, seconds: float
) -> None:
    await held_by_the_dead(build, seconds)
    assert {state["holder"] for state in await follower_states(build.engine.log, build.leases)} == {None}
    async with idle_leases(build.engine):
        """Nobody follows."""
    told: list[str] = []
    for name in EVERY_NAME:
        assert await leases_of(build, "living", told).acquire(name) is not None
        assert "lease_of_a_clock_ahead" in told[-1]
        assert f"{name}: held by dead:1 for " in told[-1]
    assert len(told) == len(EVERY_NAME)
    assert {state.holder for state in await build.leases.states()} == {"living"}


@pytest.mark.parametrize("seconds", [0.9 * LEASE_SECONDS, LEASE_SECONDS + 0.9 * CLOCK_SECONDS])
async def test_one_that_a_holder_can_have_asked_for_is_his(build: Building, seconds: float) -> None:
    """Also where the clock was set back a little since he did: he renews it every second."""
    await held_by_the_dead(build, seconds, "living:1")
    assert await build.leases.acquire(FOLLOWER) is None
    assert {state.holder for state in await build.leases.states()} == {"living:1"}
    with pytest.raises(InUse, match="is followed by living:1"):
        async with idle_leases(build.engine):
            """Not reached."""


async def test_one_whose_holder_is_known_to_have_ended_is_free_at_once(build: Building) -> None:
    await held_by_the_dead(build, 0.9 * LEASE_SECONDS)
    knowing = Leases(build.engine.database, "living", build.engine.log, is_gone=lambda holder: holder == "dead:1")
    assert {state.holder for state in await knowing.states()} == {""}
    taken = [await knowing.acquire(name) for name in EVERY_NAME]
    assert all(lease is not None and lease.epoch == 1 for lease in taken)
    assert {state.holder for state in await knowing.states()} == {"living"}
    assert [await knowing.acquire(name) for name in EVERY_NAME] == [None] * len(EVERY_NAME)


async def test_nobody_takes_it_after_somebody_else_has(build: Building, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two see at once that the holder has ended."""
    await held_by_the_dead(build, 0.9 * LEASE_SECONDS)
    first, second = (
        Leases(build.engine.database, name, build.engine.log, is_gone=lambda holder: holder == "dead:1")
        for name in ("first", "second")
    )
    agrees = second.disagreement

    async def meanwhile(state: FollowerState) -> str:
        assert await first.acquire(FOLLOWER) is not None
        return await agrees(state)

    monkeypatch.setattr(second, "disagreement", meanwhile)
    assert await second.acquire(FOLLOWER) is None
    state = await build.leases.state(FOLLOWER)
    assert state is not None
    assert (state.holder, state.epoch) == ("first", 1)


async def test_of_two_holders_that_live_under_two_clocks_one_commits(build: Building) -> None:
    await build.record(reported())
    told: list[str] = []
    first = await leases_of(build, "first", told).acquire(FOLLOWER)
    assert first is not None
    await held_by_the_dead(build, DAY, "first")  # the clock went back a day under him
    second = await leases_of(build, "second", told).acquire(FOLLOWER)
    assert second is not None
    with pytest.raises(LeaseLost):
        await build.leases.renew(first, 0)
    with pytest.raises(LeaseLost):
        async with build.engine.database.transaction() as rows:
            await build.leases.advance(rows, first, 0, 1, b"")
    assert await build.follower().follow(second, until=1) == 1


async def test_what_says_what_keeps_a_follower_is_written_over_a_dead_holder(build: Building) -> None:
    await held_by_the_dead(build, DAY)
    await build.leases.note(FOLLOWER, "Redis is away")
    state = await build.leases.state(FOLLOWER)
    assert state is not None
    assert state.failure == "Redis is away"


async def test_no_command_is_kept_by_a_holder_of_a_clock_that_was_ahead(build: Building) -> None:
    await build.record(reported())
    await build.catch_up()
    await held_by_the_dead(build, DAY)
    await rebuild(build.settings)
    await rebuild_tree(build.settings)
    await held_by_the_dead(build, DAY)
    await drop(build.settings, Unused.UNFINISHED)
    await drop(build.settings, Unused.OLDER)
    await held_by_the_dead(build, DAY)
    await restored(build.settings)
    assert await build.position() == 1


async def test_kept_tables_stay_no_longer_than_was_asked_for(build: Building) -> None:
    kept, database = KeptGeneration(build.engine.database, FOLLOWER), build.engine.database
    await build.record(reported())
    await build.catch_up()
    await rebuild(build.settings, keep=DAY)
    assert not await kept.shorten()
    asked = await _kept_until(kept)
    await database.execute(f"UPDATE kept_generations SET kept_until = kept_until + {10 * DAY}")
    expiring = create_task(expire(build.engine, build.leases))

    async def shortened() -> bool:
        return await _kept_until(kept) < asked + DAY

    try:
        await soon(shortened)
    finally:
        expiring.cancel()
    assert await _kept_until(kept) >= asked


async def _kept_until(kept: KeptGeneration) -> float:
    found = await kept.get()
    assert found is not None
    assert found.until is not None
    return found.until
