"""A log whose end is ahead of the clock: said, and beyond a limit nothing is recorded until somebody says otherwise."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from service.engines import open_engine
from service.settings import Settings
from service.store.log import Clocks, Row
from tests.http.api import ABSENT_ID, PATH, Api, at, incident, utc
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.http.test_metrics import named, samples
from tests.projections.building import soon
from tests.servers.process import ServiceProcess
from tests.servers.programs import found, needs
from tests.store.engines import engine_of
from tests.store.events import births

YEARS = 10 * 365 * 86_400.0
LOOK_SECONDS = 30.0
"""More than two looks take on the busiest machine."""
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"


async def record_ahead(database_url: str, seconds: float) -> None:
    """Three events of the past, the newest of which was recorded while the clock was ahead."""
    now = datetime.now(UTC)
    times = (now - timedelta(days=2), now - timedelta(days=1), now + timedelta(seconds=seconds))

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [
            Row(
                place, one.originator_id, 0, one.topic, one.state, "acme", one.subject_id, times[place - 1], None,
                one.salt, one.digest,
            )
            for place, one in enumerate(births(len(times)), start=1)
        ]  # fmt: skip

    async with open_engine(Settings(database_url=database_url)) as engine:
        await engine.log.load(rows(), uuid4(), restored=False)


def condition(status: Any, name: str) -> Any:
    (found,) = [one for one in status["conditions"] if one["name"] == name]
    return found


async def status_of(api: Api) -> Any:
    return (await api.get("/status", authorized=False)).body


@both_engines
async def test_beyond_the_limit_writes_are_refused_and_reads_go_on(serve: Serve, database_url: str) -> None:
    await record_ahead(database_url, YEARS)
    api = await serve(read_timeout=10)
    for answer in (
        await api.post(PATH, incident()),
        await api.delete(at((await api.get(PATH)).data["incidents"][0]["id"])),
        await api.deployer.post(f"{PATH}/attributes", {"name": "rack", "type": "STRING"}),
    ):
        error = answer.refused(503, "CLOCK_BEHIND")
        assert "ahead of the database's clock" in error["message"]
        assert answer.headers["Retry-After"]
    # What is wrong by itself is still said first.
    (await api.post(PATH, {**incident(), "status": "NOPE"})).refused(400, "CODE_UNKNOWN", "status")
    assert (await api.delete(at(ABSENT_ID))).status == 404
    assert await api.parts.log.head() == 3
    assert (await api.get(PATH)).data["total"] == 3
    assert (await api.get(f"{PATH}?as_of={utc(time.time() - 3600)}&size=10")).data["total"] == 2
    assert (await api.get("/readyz", authorized=False)).status == 200

    status = await status_of(api)
    found = condition(status, "clock")
    assert status["clock"]["log_ahead_seconds"] == pytest.approx(YEARS, abs=600)
    assert found["met"] is False
    assert "s ahead of the database's clock (limit 300 s)" in found["found"]
    assert "set IMS_MAX_CLOCK_LEAD above the lead" in found["do"]
    assert status["error"].startswith("writes are refused: the newest event is ")
    metrics = await samples(api)
    assert named(metrics, "ims_condition_unmet", condition="clock") == 1
    assert named(metrics, "ims_condition_unmet", condition="encoding") == 0
    assert named(metrics, "ims_log_ahead_seconds") == pytest.approx(YEARS, abs=600)


@both_engines
async def test_the_operator_says_otherwise_by_the_limit(serve: Serve, database_url: str) -> None:
    await record_ahead(database_url, YEARS)
    api = await serve(max_clock_lead=2 * YEARS)
    reported = [await api.report() for _ in range(2)]
    newest = (await api.parts.log.read(2, 10))[0].recorded_at
    times = [datetime.fromisoformat(one["created_at"]) for one in reported]
    assert times == [newest + timedelta(microseconds=count) for count in (1, 2)]
    found = condition(await status_of(api), "clock")
    assert found["met"] is False, "it is still said"
    assert (await status_of(api))["error"] is None


@both_engines
async def test_within_the_limit_it_is_only_said(serve: Serve, database_url: str) -> None:
    await record_ahead(database_url, 60)
    api = await serve()
    assert (await api.post(PATH, incident())).status == 201
    status = await status_of(api)
    assert condition(status, "clock")["met"] is False
    assert 0 < status["clock"]["log_ahead_seconds"] <= 60
    assert named(await samples(api), "ims_condition_unmet", condition="clock") == 1


@both_engines
async def test_all_is_well_where_the_clock_is_right(serve: Serve) -> None:
    api = await serve()
    await api.report()
    await api.parts.watch.begin()
    status = await status_of(api)
    assert {one["name"] for one in status["conditions"] if not one["met"]} <= {"durability"}
    assert status["clock"]["log_ahead_seconds"] <= 0
    assert abs(status["clock"]["behind_database_seconds"]) < 5


@both_engines
async def test_a_clock_that_jumps_while_it_serves_is_noticed_by_the_first_event_after_it(
    serve: Serve, database_url: str, engine: str
) -> None:
    await record_ahead(database_url, -60)
    api = await serve()
    assert (await api.post(PATH, incident())).status == 201
    # As if it had been recorded by a clock that was an hour ahead and is right now.
    hour = "recorded_at + interval '1 hour'" if engine == "postgresql" else "recorded_at + 3600000000"
    back = hour.replace("+", "-")
    store = engine_of(database_url)
    await store.sql(f"UPDATE log SET recorded_at = {hour} WHERE notification_id = 4")

    async def refused() -> bool:
        return (await api.post(PATH, incident())).status == 503

    async def taken() -> bool:
        return (await api.post(PATH, incident())).status == 201

    await soon(refused, LOOK_SECONDS)
    # The clock has caught up, as far as the log can tell.
    await store.sql(f"UPDATE log SET recorded_at = {back} WHERE notification_id >= 4")
    await soon(taken, LOOK_SECONDS)
    assert (await status_of(api))["error"] is None


async def test_a_process_whose_own_clock_differs_is_told_apart(serve: Serve) -> None:
    watch = (await serve()).parts.watch
    for offset, met in ((0.0, True), (4.9, True), (5.1, False), (-5.1, False)):
        _, own = watch._of_clocks(Clocks(1e9 + offset, None), 1e9)
        assert own.met is met
    assert own.condition.name == "own_clock"
    assert "differs from the database's by +5.100 s" in own.found


def at_another_time(process: ServiceProcess, offset: str) -> ServiceProcess:
    process.environment |= {"LD_PRELOAD": str(found(FAKETIME)), "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"}
    return process


async def asked(method: str, service: ServiceProcess, path: str, body: Any = None) -> tuple[int, Any]:
    token = service.command("token", "--tenant", "acme", "--user", "ann").strip()  # at the time of the service
    async with (
        ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.request(method, f"{service.url}{path}", json=body) as answer,
    ):
        return answer.status, await answer.json()


@needs(FAKETIME)
async def test_served_once_ten_years_ahead_and_then_right_again(tmp_path: Path) -> None:
    with at_another_time(ServiceProcess(tmp_path), "+10y") as far:
        assert (await asked("POST", far, PATH, incident()))[0] == 201
        assert far.terminate() == 0
    with ServiceProcess(tmp_path) as right:
        status, answer = await asked("POST", right, PATH, incident())
        assert (status, answer["errors"][0]["code"]) == (503, "CLOCK_BEHIND")
        assert (await asked("GET", right, PATH))[1]["data"]["total"] == 1
        assert '"condition_unmet"' in right.logs
        assert right.terminate() == 0
    with ServiceProcess(tmp_path, {"max_clock_lead": "1e9"}) as allowed:
        assert (await asked("POST", allowed, PATH, incident()))[0] == 201


@needs(FAKETIME)
async def test_a_process_an_hour_ahead_of_its_database_says_so_and_records_by_the_databases_clock(
    tmp_path: Path, postgres_dsn: str, start_service: Callable[..., ServiceProcess]
) -> None:
    with at_another_time(ServiceProcess(tmp_path, {"database_url": postgres_dsn}), "+1h") as service:
        status, answer = await asked("POST", service, PATH, incident())
        assert status == 201
        created = datetime.fromisoformat(answer["data"]["created_at"])
        assert abs((created - datetime.now(UTC)).total_seconds()) < 600
        found = condition((await asked("GET", service, "/status"))[1], "own_clock")
        assert found["met"] is False
        assert "by +3" in found["found"]
