"""A rebuild: the same bytes, in tables of their own, then one switch that only the one who filled them can make."""

import asyncio
import time
from pathlib import Path

import pytest

from domain.event import ActEvent
from projections import loading
from projections.lease import LeaseLost
from projections.loading import Loading
from projections.read_models import FOLLOWER, REBUILD, VERSION
from projections.remembered import Remembered
from service import kept_json
from service.filling import REMEMBERED_BYTES
from service.generations import read_models
from service.read_model_commands import rebuild
from service.settings import Settings
from service.store.errors import InUse
from tests.domain.examples import ONE_OF_EACH, deleted, reported
from tests.projections.building import Building, building
from tests.projections.histories import long_history
from tests.servers.postgres import Postgres


async def _rebuilt(build: Building, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    await rebuild(_settings(tmp_path, request))


def _settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    on_postgres = "postgres" in request.node.name
    return Settings(data_dir=tmp_path, database_url=request.getfixturevalue("postgres_dsn") if on_postgres else "")


@pytest.mark.parametrize("history", [ONE_OF_EACH, long_history(1_300)], ids=["one-of-each", "long"])
async def test_a_rebuild_gives_the_same_bytes_as_what_was_built_event_by_event(
    build: Building, tmp_path: Path, request: pytest.FixtureRequest, history: tuple[ActEvent, ...]
) -> None:
    for start in range(0, len(history), step := 1 if len(history) < 20 else 190):
        await build.record(*history[start : start + step])
        await build.catch_up()
    first = await build.dump(1)
    assert all(first[table] for table in ("incidents", "counts", "definitions"))

    await rebuild(_settings(tmp_path, request))

    assert await build.dump(2) == first
    state = await build.leases.state(FOLLOWER)
    assert state is not None
    assert (state.generation, state.position, state.holder) == (2, len(history), "")


async def test_whoever_built_the_tables_of_before_is_fenced_by_the_switch(
    build: Building, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await build.record(reported())
    old = await build.lease()
    await build.follower().follow(old, until=1)
    await rebuild(_settings(tmp_path, request))
    await build.record(deleted(1))
    first = await build.dump(1)
    with pytest.raises(LeaseLost):
        await build.leases.renew(old, 1)
    with pytest.raises(LeaseLost):
        await build.follower().follow(old, until=2)
    assert await build.dump(1) == first
    assert await build.catch_up() == 2
    assert (2, 2) in build.moves


async def test_the_tables_of_two_rebuilds_ago_are_dropped_and_those_of_the_last_one_stay(
    sqlite: Building, tmp_path: Path
) -> None:
    await sqlite.record(reported())
    await sqlite.catch_up()
    for _ in range(3):
        await rebuild(Settings(data_dir=tmp_path))
    named = f"incidents_v{VERSION}__"
    rows = await sqlite.engine.database.fetch("SELECT name FROM sqlite_master WHERE name LIKE $1", named)
    assert sorted(name for (name,) in rows) == [f"incidents_v{VERSION}_3", f"incidents_v{VERSION}_4"]


async def test_a_rebuild_is_refused_while_another_renews_its_lease_and_takes_over_from_one_that_was_killed(
    postgres_dsn: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=postgres_dsn)
    async with building(tmp_path, postgres_dsn) as build:
        await build.record(reported())
        await build.leases.register(REBUILD, generation=0)
        lease = await build.leases.acquire(REBUILD)
        assert lease is not None
        with pytest.raises(InUse, match="another rebuild is running"):
            await build.leases.renewing(lease, 0, rebuild(settings))
        await rebuild(settings)
        state = await build.leases.state(FOLLOWER)
        assert state is not None
        assert (state.generation, state.position) == (2, 1)


async def test_a_rebuild_that_was_paused_does_not_switch_to_tables_that_another_one_fills(build: Building) -> None:
    await build.record(reported())
    await build.leases.register(REBUILD)
    first = await build.leases.acquire(REBUILD)
    assert first is not None
    async with build.engine.database.transaction() as rows:
        first = await build.leases.reset(rows, first, 2)
    await build.engine.database.execute("UPDATE followers SET expires_at = 0")
    second = await build.leases.acquire(REBUILD)
    assert second is not None
    with pytest.raises(LeaseLost):
        async with build.engine.database.transaction() as rows:
            await build.leases.switch(rows, FOLLOWER, first, 0, None)
    state = await build.leases.state(FOLLOWER)
    assert state is not None
    assert state.generation == 1


async def test_read_models_of_another_log_are_rebuilt_from_this_one(
    build: Building, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await build.record(reported())
    await build.leases.register(REBUILD)
    await build.engine.database.execute("UPDATE followers SET log_id = 'another', position = 70")
    await rebuild(_settings(tmp_path, request))
    assert await build.catch_up() == 1
    assert len((await build.dump(2))["incidents"]) == 1


async def test_a_rebuild_ends_near_the_head_even_where_events_come_in_meanwhile(
    sqlite: Building, tmp_path: Path
) -> None:
    await sqlite.record(*long_history(600))
    recording = asyncio.create_task(sqlite.record(*long_history(100, first=601)))
    await rebuild(Settings(data_dir=tmp_path))
    await recording
    assert await sqlite.catch_up() == 700


async def test_a_crash_of_the_database_does_not_take_a_switch_back(tmp_path: Path) -> None:
    # What is not committed durably reaches the disk of this server 10 s later.
    with Postgres(wal_writer_delay="10000ms") as server:
        async with building(tmp_path, server.dsn) as build:
            await build.record(*ONE_OF_EACH)
            await build.catch_up()
            before = await build.dump(1)
            await rebuild(Settings(data_dir=tmp_path, database_url=server.dsn))
            server.kill()
        server.start()
        async with building(tmp_path, server.dsn) as build:
            state = await build.leases.state(FOLLOWER)
            assert state is not None
            assert (state.generation, state.position) == (2, len(ONE_OF_EACH))
            assert await build.dump(2) == before


async def test_what_is_built_slowly_is_committed_before_the_lease_runs_out(
    build: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "RENEW_SECONDS", 0.0)
    facts = await build.record(reported(), deleted(1))
    await build.leases.register(REBUILD, generation=1)
    lease = await build.leases.acquire(REBUILD)
    assert lease is not None
    models = read_models(build.engine, 1, Remembered(kept_json, REMEMBERED_BYTES))
    slow = Loading(build.engine.database, build.leases, models, time.monotonic)
    try:
        assert await slow.begin(lease) == 0
        for position, fact in enumerate(facts):
            await slow.commit(lease, position, [fact])
            await asyncio.sleep(0.01)
        await slow.leave(lease)
        state = await build.leases.state(REBUILD)
        assert state is not None
        assert state.position > 0
    finally:
        await slow.close()
