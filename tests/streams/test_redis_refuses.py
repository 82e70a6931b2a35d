"""Redis is there and refuses: it is asked again until it does not, and then the streams are the log."""

import asyncio
import threading
from contextlib import suppress

import pytest
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from projections.database import Unavailable
from service.settings import Settings
from service.streams.publishing import wire_of
from service.streams.wire import Wire
from tests.faults.conftest import Ground
from tests.servers.redis import RedisServer
from tests.servers.sentinel import Sentinel
from tests.streams.publishing import until
from tests.streams.reading import whole
from tests.streams.test_agreement_with_the_log import publisher_of, report
from tests.streams.test_redis_as_people_run_it import cluster, is_formed

NEVER_ENDS = "redis.call('SET', 'written', '1') while true do end"
"""Nor can it be killed, since it wrote something; a sentinel kills those that can be."""


async def test_a_cluster_that_lacks_a_slot_is_waited_for(on_sqlite: Ground) -> None:
    with cluster(1) as (node,), node.client() as look:
        await until(lambda: is_formed([node]), 20)
        service = on_sqlite.start(redis_url=node.url)
        await report(service, 1)
        await whole(look, on_sqlite.log)
        slot = key_slot(b"another")
        look.execute_command("CLUSTER DELSLOTS", slot)
        look.client_kill_filter(_type="normal", skipme=True)
        await report(service, 1)
        async with asyncio.timeout(10):
            while "slots are not covered" not in str((await publisher_of(service))["failure"]):
                await asyncio.sleep(0.05)
        look.execute_command("CLUSTER ADDSLOTS", slot)
        assert len(await whole(look, on_sqlite.log)) == 2
    assert "Traceback" not in service.logs


async def test_a_master_that_does_not_even_say_whether_it_is_one_is_away() -> None:
    with RedisServer(appendonly="no", lua_time_limit=50) as server, Sentinel(server) as sentinel:
        threading.Thread(target=_run_for_ever, args=(server,), daemon=True).start()
        wire = wire_of(Settings(redis_url=sentinel.url))
        try:
            with pytest.raises(Unavailable, match="BUSY"):
                await _connect_until_it_fails(wire)
        finally:
            server.kill()  # it would not end in order


async def _connect_until_it_fails(wire: Wire) -> None:
    """The script may not have run for long enough."""
    async with asyncio.timeout(10):
        while True:
            await wire.connect()
            await wire.close()
            await asyncio.sleep(0.05)


def _run_for_ever(server: RedisServer) -> None:
    with suppress(RedisError), Redis(port=server.port) as client:
        client.eval(NEVER_ENDS, 0)
