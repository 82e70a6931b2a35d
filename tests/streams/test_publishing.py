"""The streams are the log: all of history first, then every change as it happens."""

import asyncio

from tests.faults.conftest import Ground
from tests.faults.load import authorization, client, load
from tests.servers.redis import RedisServer
from tests.streams.reading import ALL, entries, whole

pytest_plugins: list[str] = []


async def test_history_is_published_and_then_each_change(
    ground: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    service = ground.start()
    async with client(service.url, authorization(service)) as one:
        await one.report()
    service.terminate()
    service.environment["IMS_REDIS_URL"] = redis_url
    service.start()
    with redis_server.client() as streams:
        log = await whole(streams, ground.log)
        assert len(log) == 1
        async with load(lambda: service.url, authorization(service)):
            await asyncio.sleep(1)
        async with client(service.url, authorization(service, tenant="other")) as one:
            await one.report()
        log = await whole(streams, ground.log)
        assert len(log) > 50
        assert entries(streams, f"{ALL}:other")[0].prev == 0
