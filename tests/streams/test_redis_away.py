"""Redis is killed, emptied, slow or silent under load: the API does not notice, and then the streams are the log."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.faults.conftest import Ground
from tests.faults.load import INCIDENTS, Client, authorization, client, load
from tests.servers.process import ServiceProcess
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer
from tests.streams.reading import ALL, whole

Fault = Callable[[RedisServer], Awaitable[None]]
P99_RATIO = 1.5
P99_SLACK_SECONDS = 0.03
"""Beside the ratio, for what other tests on the machine take from a few requests."""


async def killed(server: RedisServer) -> None:
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.start)


async def restarted(server: RedisServer) -> None:
    await asyncio.to_thread(server.restart)


async def emptied(server: RedisServer) -> None:
    with server.client() as streams:
        streams.flushall()


async def one_stream_deleted(server: RedisServer) -> None:
    with server.client() as streams:
        streams.delete(f"{ALL}:acme")


async def faults_under_load(ground: Ground, server: RedisServer, fault: Fault, rounds: int) -> None:
    service = ground.start(redis_url=server.url)
    headers = authorization(service)
    async with load(lambda: service.url, headers, clients=4) as seen:
        for _ in range(rounds):
            await asyncio.sleep(0.7)
            await fault(server)
        await asyncio.sleep(0.5)
    assert seen.cut_off == 0
    assert not seen.refused
    with server.client() as streams:
        log = await whole(streams, ground.log)
    assert len(log) >= len(seen.acknowledged) > 20
    assert "Traceback" not in service.logs


@pytest.mark.parametrize("fault", [killed, restarted, emptied, one_stream_deleted], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("appendonly", ["yes", "no"], ids=["persistent", "forgetful"])
async def test_the_streams_are_whole_again(on_sqlite: Ground, appendonly: str, fault: Fault) -> None:
    with RedisServer(appendonly=appendonly) as server:
        await faults_under_load(on_sqlite, server, fault, rounds=1)


@pytest.mark.faults
@pytest.mark.parametrize("fault", [killed, restarted, emptied, one_stream_deleted], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("appendonly", ["yes", "no"], ids=["persistent", "forgetful"])
async def test_the_streams_are_whole_again_and_again(on_postgres: Ground, appendonly: str, fault: Fault) -> None:
    with RedisServer(appendonly=appendonly, appendfsync="everysec") as server:
        await faults_under_load(on_postgres, server, fault, rounds=8)


async def test_what_was_lost_while_nothing_happened_is_there_again_before_anything_happens(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    service = on_sqlite.start(redis_url=redis_url)
    async with client(service.url, authorization(service)) as one:
        await one.report()
    with redis_server.client() as streams:
        await whole(streams, on_sqlite.log)
        streams.flushall()
        await whole(streams, on_sqlite.log)


class Pace:
    """How long the answers to a few requests at a time take."""

    def __init__(self, one: Client) -> None:
        self._one = one

    async def p99(self, seconds: float) -> float:
        taken: list[float] = []
        end = time.monotonic() + seconds

        async def ask() -> None:
            while time.monotonic() < end:
                began = time.monotonic()
                incident = await self._one.report()
                answer = await self._one.ask("GET", f"{INCIDENTS}/{incident['id']}")
                assert answer.status == 200
                taken.append(time.monotonic() - began)

        await asyncio.gather(*(ask() for _ in range(4)))
        return sorted(taken)[int(len(taken) * 0.99)]


@asynccontextmanager
async def behind_a_proxy(
    ground: Ground, server: RedisServer, **settings: str
) -> AsyncIterator[tuple[ServiceProcess, FaultProxy]]:
    async with FaultProxy(server.port, postgres=False) as proxy:
        yield ground.start(redis_url=f"redis://127.0.0.1:{proxy.port}/0", **settings), proxy


async def a_redis_that_is_no_use(
    ground: Ground, server: RedisServer, how: str, seconds: float, *, strict: bool
) -> None:
    async with (
        behind_a_proxy(ground, server, redis_timeout="2", rate_limit="100000/second") as (service, proxy),
        client(service.url, authorization(service)) as one,
    ):
        pace = Pace(one)
        await pace.p99(0.5)
        before = await pace.p99(min(seconds / 3, 5))
        if how == "silent":
            proxy.silent = {"up", "down"}
        elif how == "slow":
            proxy.latency = 1.0
        else:
            await proxy.refuse()
            proxy.reset()
        during = await pace.p99(seconds)
        if strict:
            assert during <= before * P99_RATIO + P99_SLACK_SECONDS, (before, during)
        assert during < 1.0
        status = (await one.ask("GET", "/status")).body
        (publisher,) = (follower for follower in status["followers"] if follower["name"] == "publisher")
        assert publisher["lag_events"] > 0
        assert how == "slow" or "Redis" in publisher["failure"], publisher
        async with one.session.get("/metrics") as answer:
            metrics = await answer.text()
        assert how == "slow" or 'ims_follower_failing{follower="publisher"} 1.0' in metrics
        assert (await one.ask("GET", "/readyz")).status == 200
        proxy.silent, proxy.latency = set(), 0.0
        if how == "refused":
            await proxy.accept()
        with server.client() as streams:
            await whole(streams, ground.log)
        print(f"{how}: p99 {before * 1000:.1f} ms before, {during * 1000:.1f} ms during")  # noqa: T201


@pytest.mark.parametrize("how", ["silent", "slow", "refused"])
async def test_a_redis_that_is_no_use_does_not_slow_the_api(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer, how: str
) -> None:
    await a_redis_that_is_no_use(on_sqlite, redis_server, how, 3.0, strict=False)


@pytest.mark.faults
@pytest.mark.parametrize("how", ["silent", "slow", "refused"])
async def test_a_redis_that_is_no_use_for_a_minute_does_not_slow_the_api(
    on_postgres: Ground, redis_url: str, redis_server: RedisServer, how: str
) -> None:
    await a_redis_that_is_no_use(on_postgres, redis_server, how, 60.0, strict=True)


async def test_a_restart_of_redis_is_noticed_at_once(on_sqlite: Ground) -> None:
    with RedisServer(appendonly="no") as server, server.client() as streams:
        service = on_sqlite.start(redis_url=server.url)
        async with client(service.url, authorization(service)) as one:
            await one.report()
        await whole(streams, on_sqlite.log)
        await restarted(server)
        await whole(streams, on_sqlite.log)
