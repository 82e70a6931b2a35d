"""Publishers that are killed, or are two at once: the streams are the log all the same."""

import asyncio
import random

import asyncpg
import pytest

from projections.stream import FOLLOWER
from tests.faults.conftest import Ground
from tests.faults.load import authorization, client, load
from tests.servers.process import ServiceProcess
from tests.servers.redis import RedisServer
from tests.streams.reading import whole

TAKEOVER_SECONDS = 5.0
_HOLDER = f"SELECT holder, epoch FROM ims.followers WHERE name = '{FOLLOWER}'"


async def killed_under_load(ground: Ground, server: RedisServer, times: int) -> None:
    """The API goes on in a process of its own, so that the load does not stop."""
    api = ground.start(run="api,projector")
    publisher = ground.start(run="publisher", redis_url=server.url)
    chance = random.Random(7)
    async with load(lambda: api.url, authorization(api), clients=4) as seen:
        for _ in range(times):
            await asyncio.sleep(chance.uniform(0.05, 0.8))
            publisher.kill()
            await asyncio.to_thread(publisher.start)
    assert not seen.refused
    with server.client() as streams:
        log = await whole(streams, ground.log)
    assert len(log) >= len(seen.acknowledged) > 20


async def test_a_killed_publisher_leaves_no_hole_and_repeats_nothing(
    on_postgres: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    await killed_under_load(on_postgres, redis_server, times=2)


@pytest.mark.faults
async def test_a_publisher_that_is_killed_twenty_times_leaves_no_hole_and_repeats_nothing(
    on_postgres: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    await killed_under_load(on_postgres, redis_server, times=20)


async def pause_and_takeover(ground: Ground, server: RedisServer, rounds: int) -> None:
    api = ground.start(run="api,projector")
    publishers = [ground.start(run="publisher", redis_url=server.url) for _ in range(2)]
    database = await asyncpg.connect(ground.log)
    try:
        async with load(lambda: api.url, authorization(api), clients=4):
            for _ in range(rounds):
                await asyncio.sleep(0.5)
                holder, epoch = await database.fetchrow(_HOLDER)
                first = _named(publishers, holder)
                first.pause()
                began = asyncio.get_running_loop().time()
                while (await database.fetchrow(_HOLDER))["epoch"] == epoch:
                    assert asyncio.get_running_loop().time() - began < TAKEOVER_SECONDS
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0.3)
                first.resume()
                await asyncio.sleep(0.5)
                holder, new_epoch = await database.fetchrow(_HOLDER)
                assert _named(publishers, holder) is not first
                assert new_epoch == epoch + 1
    finally:
        await database.close()
    with server.client() as streams:
        assert len(await whole(streams, ground.log)) > 20


def _named(publishers: list[ServiceProcess], holder: str) -> ServiceProcess:
    (found,) = (publisher for publisher in publishers if holder.endswith(f":{publisher.pid}"))
    return found


async def test_of_two_publishers_one_is_paused_past_its_lease(
    on_postgres: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    await pause_and_takeover(on_postgres, redis_server, rounds=1)


@pytest.mark.faults
async def test_of_two_publishers_one_is_paused_past_its_lease_again_and_again(
    on_postgres: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    await pause_and_takeover(on_postgres, redis_server, rounds=6)


async def test_a_process_that_publishes_nothing_says_so_by_silence(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    """Neither without the role nor without a stream to publish to."""
    for settings in ({"run": "api,projector"}, {"streams": ""}):
        service = on_sqlite.start(redis_url=redis_url, **settings)
        async with client(service.url, authorization(service)) as one:
            await one.report()
            followers = (await one.ask("GET", "/status")).body["followers"]
            assert [follower["name"] for follower in followers if follower["name"] == FOLLOWER] == []
        service.terminate()
        with redis_server.client() as streams:
            assert streams.keys("ims:*") == []
