"""What was live before a rebuild is kept: it can be gone back to, and it goes when its time is over."""

from asyncio import create_task
from collections.abc import Awaitable
from pathlib import Path

import pytest

from projections.generations import KeptGeneration, NothingKept, existing
from projections.read_models import FOLLOWER, VERSION
from service.durations import NotADuration
from service.generations import expire
from service.projections_cli import Unused, _seconds
from service.read_model_commands import back, drop, rebuild
from service.settings import Settings
from service.store.errors import InUse
from tests.domain.examples import ONE_OF_EACH, edited, reported
from tests.projections.building import Building, soon
from tests.projections.histories import long_history


@pytest.fixture
def settings(build: Building, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    on_postgres = "postgres" in request.node.name
    return Settings(data_dir=tmp_path, database_url=request.getfixturevalue("postgres_dsn") if on_postgres else "")


async def _live(build: Building) -> tuple[int, int]:
    state = await build.leases.state(FOLLOWER)
    assert state is not None
    return state.generation, state.position


async def _generations(build: Building) -> list[int]:
    return [one.number for one in await existing(build.engine.database)]


async def test_going_back_brings_the_tables_of_before_up_to_date_first(build: Building, settings: Settings) -> None:
    history = long_history(700)
    await build.record(*history[:300])
    await build.catch_up()
    await rebuild(settings)
    await build.record(*history[300:])
    await build.catch_up()
    after = await build.dump(2)
    await back(settings)
    assert await _live(build) == (1, 700)
    assert await build.dump(1) == after
    await build.record(*long_history(50, first=701))
    assert await build.catch_up() == 750
    await back(settings)
    assert await _live(build) == (2, 750)
    assert await build.dump(2) == await build.dump(1)


async def test_where_nothing_is_kept_there_is_no_way_back(build: Building, settings: Settings) -> None:
    await build.record(reported())
    await build.catch_up()
    with pytest.raises(NothingKept):
        await back(settings)
    await rebuild(settings)
    await drop(settings, Unused.KEPT)
    assert await _generations(build) == [2]
    with pytest.raises(NothingKept):
        await back(settings)
    assert await _live(build) == (2, 1)


async def test_tables_of_another_log_are_not_gone_back_to(build: Building, settings: Settings) -> None:
    await build.record(reported())
    await build.catch_up()
    await rebuild(settings)
    await build.engine.database.execute("UPDATE kept_generations SET log_id = 'another'")
    with pytest.raises(NothingKept, match="another log"):
        await back(settings)


async def test_going_back_may_be_broken_off_and_then_a_rebuild_made_instead(
    build: Building, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await build.record(*ONE_OF_EACH[:4])
    await build.catch_up()
    await rebuild(settings)
    await build.record(*ONE_OF_EACH[4:])
    await build.catch_up()
    monkeypatch.setattr("service.rebuilding.Rebuilding.switch", _broken_off)
    with pytest.raises(KeyboardInterrupt):
        await back(settings)
    monkeypatch.undo()
    monkeypatch.setattr("service.rebuilding.Rebuilding.load", _broken_off)
    with pytest.raises(KeyboardInterrupt):
        await rebuild(settings)
    monkeypatch.undo()
    assert await _live(build) == (2, len(ONE_OF_EACH))
    await back(settings)
    assert await _live(build) == (1, len(ONE_OF_EACH))
    assert await build.dump(1) == await build.dump(2)


async def test_kept_tables_go_when_their_time_is_over(build: Building, settings: Settings) -> None:
    await build.record(reported())
    await build.catch_up()
    await rebuild(settings, keep=-1)
    kept = KeptGeneration(build.engine.database, FOLLOWER)
    assert await kept.get() is not None
    expiring = create_task(expire(build.engine, build.leases))
    try:
        await soon(lambda: _is(_generations(build), [2]))
    finally:
        expiring.cancel()
    assert await kept.get() is None


async def test_tables_of_older_releases_go_unless_they_are_followed(build: Building, settings: Settings) -> None:
    old = f"incidents_v{VERSION - 1}_3"
    await build.engine.database.define(
        [f"CREATE TABLE {old} (id integer)", f"CREATE TABLE incidents_v{VERSION + 1}_1 (id integer)"]
    )
    await build.leases.register(f"read_models_v{VERSION - 1}")
    lease = await build.leases.acquire(f"read_models_v{VERSION - 1}")
    assert lease is not None
    with pytest.raises(InUse, match=f"read_models_v{VERSION - 1} is followed by"):
        await drop(settings, Unused.OLDER)
    await build.leases.release(lease)
    await drop(settings, Unused.OLDER)
    assert [one.version for one in await existing(build.engine.database)] == [VERSION, VERSION + 1]


async def test_a_second_rebuild_takes_the_place_of_what_is_kept(build: Building, settings: Settings) -> None:
    await build.record(reported())
    await build.catch_up()
    for number in (2, 3):
        await rebuild(settings)
        assert await _live(build) == (number, 1)
        assert await _generations(build) == [number - 1, number]
    await build.record(edited(1, status=("NEW", "OPEN")))
    await back(settings)
    assert await _live(build) == (2, 2)


async def _broken_off(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


async def _is(value: Awaitable[object], wanted: object) -> bool:
    return await value == wanted


@pytest.mark.parametrize("keep", ["59s", "7", "1w", ""])
def test_tables_are_kept_for_a_minute_or_more_or_until_they_are_dropped(keep: str) -> None:
    with pytest.raises(NotADuration, match="--keep takes"):
        _seconds(keep)
    assert (_seconds(None), _seconds("1m"), _seconds("7d")) == (None, 60, 7 * 86400)
