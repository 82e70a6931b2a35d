"""`ims events status`: each stream's last id, the log's head, its lag; each group's pending events, lag and oldest."""

import re

from tests.faults.conftest import Ground
from tests.faults.load import authorization, client
from tests.servers.redis import RedisServer
from tests.streams.reading import ALL, whole


async def test_status_tells_of_streams_and_groups(ground: Ground, redis_url: str, redis_server: RedisServer) -> None:
    service = ground.start(redis_url=redis_url)
    for tenant, times in (("acme", 5), ("other", 2)):
        async with client(service.url, authorization(service, tenant=tenant)) as one:
            for _ in range(times):
                await one.report()
    with redis_server.client() as look:
        await whole(look, ground.log)
        look.xgroup_create(f"{ALL}:acme", "mailer", id="0")
        ((_, delivered),) = look.xreadgroup("mailer", "one", {f"{ALL}:acme": ">"}, count=3)
        look.xack(f"{ALL}:acme", "mailer", delivered[0][0])
        assert service.terminate() == 0
        told = service.command("events", "status")
        assert re.search(r"publisher +│ 7 +│ 0 +│ 0\.0 +│ - +│ -", told), told
        assert re.search(rf"{ALL} +│ 7-0 +│ 7 +│ 0 ", told), told
        assert re.search(rf"{ALL}:acme +│ mailer +│ 2 +│ 2 +│ 2-0", told), told
        assert f"{ALL}:other" not in told
        assert "1 more streams are whole" in told
        assert re.search(rf"{ALL}:other +│ 7-0 +│ 7 +│ 0 ", service.command("events", "status", "--all"))
        look.delete(f"{ALL}:other", ALL)
        told = service.command("events", "status")
        assert re.search(rf"{ALL} +│ 0-0 +│ 7 +│ 7 ", told), told
        assert re.search(rf"{ALL}:other +│ 0-0 +│ 7 +│ 2 ", told), told
