"""A rolling upgrade: two releases side by side on one log; a follower that meets what only the newer one can read."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.load import Client, authorization, client
from tests.machines.release import MODULE, READS, WRITES, know_the_second_shape
from tests.machines.steady import steady
from tests.projections.building import soon
from tests.servers.process import ServiceProcess
from tests.servers.redis import RedisServer
from tests.streams.reading import whole

RATE = 100
PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 20.0

Start = Callable[[str, str], ServiceProcess]


@pytest.fixture
def start(tmp_path: Path, empty_postgres_dsn: str, redis_url: str) -> Iterator[Start]:
    """`start(release, run)`; the release "" is what the code is today."""
    processes: list[ServiceProcess] = []

    def start(release: str, run: str) -> ServiceProcess:
        settings = {"database_url": empty_postgres_dsn, "redis_url": redis_url, "rate_limit": "off", "run": run}
        process = ServiceProcess(tmp_path, settings, (MODULE, release) if release else ("service",))
        processes.append(process)
        return process.start()

    yield start
    for process in processes:
        process.end()
        sys.stderr.write(process.last_logs)


@pytest.fixture(autouse=True)
def here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What compares with the log must read both shapes."""
    know_the_second_shape(lambda target, name, value: monkeypatch.setattr(target, name, value, raising=False))


async def test_one_release_after_the_other_and_no_request_fails(
    start: Start, empty_postgres_dsn: str, redis_server: RedisServer
) -> None:
    old = [start(READS, "api"), start(READS, "api")]
    follower = start(READS, "projector,publisher")
    headers = authorization(old[0])
    async with steady([process.url for process in old], headers, RATE) as seen:
        await asyncio.sleep(PAUSE_SECONDS)
        later = start(WRITES, "projector,publisher")
        for process in old:
            await asyncio.to_thread(process.terminate)
            process._program = (MODULE, WRITES)
            await asyncio.to_thread(process.start)
            await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.to_thread(follower.terminate)
        await asyncio.sleep(PAUSE_SECONDS)
    assert not seen.failed
    log = await audit(empty_postgres_dsn, seen.acknowledged)
    shapes = [json.loads(event.state).get("class_version", 1) for event in log if event.topic == "IncidentReported"]
    assert set(shapes) == {1, 2}
    async with client(old[0].url, headers) as one:
        await agree(one, log)
        assert (await one.ask("GET", "/status")).body["error"] is None
    with redis_server.client() as streams:
        await whole(streams, empty_postgres_dsn)
    assert "outdated" not in follower.logs + later.logs


async def test_a_follower_that_meets_a_newer_shape_leaves_it_to_whoever_can_read_it(
    start: Start, empty_postgres_dsn: str, redis_server: RedisServer
) -> None:
    today = start("", "projector,publisher")
    api = start(WRITES, "api")
    headers = authorization(api)
    reason = "IncidentReported in shape 2, newer than this release"
    async with client(api.url, headers) as one, client(today.url, {}) as outdated:
        await one.report()
        await soon(lambda: _says(outdated, reason), PATIENCE_SECONDS)
        await soon(lambda: _is_left(one, reason), PATIENCE_SECONDS)
        async with outdated.session.get("/metrics") as metrics:
            assert 'ims_follower_outdated{follower="publisher"} 1.0' in await metrics.text()
        ready = await outdated.ask("GET", "/readyz")
        assert (ready.status, ready.body["reason"]) == (503, "a follower leaves what comes next to a newer release")
        start(WRITES, "projector,publisher")
        await soon(lambda: _is_followed(one), PATIENCE_SECONDS)
        for _ in range(5):
            await one.report()
        await agree(one, await audit(empty_postgres_dsn))
        with redis_server.client() as streams:
            assert len(await whole(streams, empty_postgres_dsn)) == 6
        assert today.running.poll() is None
        assert "follower_stopped" not in today.logs
        assert "Traceback" not in today.logs


async def _says(one: Client, reason: str) -> bool:
    return reason in ((await one.ask("GET", "/status")).body["error"] or "")


async def _is_left(one: Client, reason: str) -> bool:
    """By both followers, each in its time, before the first event."""
    followers = (await one.ask("GET", "/status")).body["followers"]
    left = [(row["position"], row["holder"], reason in (row["failure"] or "")) for row in followers]
    return left == [(0, None, True), (0, None, True)]


async def _is_followed(one: Client) -> bool:
    followers = (await one.ask("GET", "/status")).body["followers"]
    return all(row["holder"] and not row["lag_events"] for row in followers)
