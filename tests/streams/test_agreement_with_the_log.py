"""A stream that does not agree with the log is never passed over: the publisher stops and says what is wrong."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from projections.follower import Stopped
from tests.faults.audit import events
from tests.faults.conftest import Ground
from tests.faults.load import authorization, client
from tests.projections.building import Building
from tests.projections.histories import long_history
from tests.servers.process import ServiceProcess
from tests.servers.redis import RedisServer
from tests.streams.publishing import published, publishing, until
from tests.streams.reading import ALL, compare, entries, whole

TENANT = f"{ALL}:acme"


async def test_a_stream_that_is_ahead_of_the_log_stops_the_publisher(build: Building, redis_url: str) -> None:
    async with published(build, redis_url, 10) as (publisher, look):
        for stream in (ALL, TENANT):
            look.xadd(stream, {"event": "{}", "digest": "d"}, id="12-0")
            with pytest.raises(Stopped, match=f"{stream} does .* position 12, which the log does not have"):
                await publisher.catch_up()
            look.xdel(stream, "12-0")
            with pytest.raises(Stopped, match="position 12"):  # its last id is what it was
                await publisher.catch_up()
            look.delete(stream)
        await publisher.catch_up()
        assert len(entries(look)) == 10


async def test_a_stream_that_ends_with_another_event_stops_the_publisher(build: Building, redis_url: str) -> None:
    async with published(build, redis_url, 10) as (publisher, look):
        ((id, fields),) = look.xrevrange(TENANT, count=1)
        look.xtrim(TENANT, maxlen=0)
        look.xgroup_create(TENANT, "g", id="0")
        look.delete(TENANT)
        look.xadd(TENANT, {**fields, "digest": "0" * 64}, id=id)
        with pytest.raises(Stopped, match=f"{TENANT} does not agree with the log: the digest of position 10"):
            await publisher.catch_up()


async def test_a_tenants_stream_that_ends_with_another_tenants_event_stops_the_publisher(
    sqlite: Building, redis_url: str, redis_server: RedisServer
) -> None:
    await sqlite.record(*long_history(10))
    with redis_server.client() as look:
        async with publishing(sqlite, redis_url) as publisher:
            await publisher.catch_up()
            await sqlite.engine.log._file.write(  # type: ignore[attr-defined]
                lambda connection: connection.execute("UPDATE log SET tenant_id = 'other' WHERE notification_id = 10")
            )
            with pytest.raises(Stopped, match="position 10, with which it ends, is another tenant's"):
                await publisher.catch_up()
        assert not look.exists(f"{ALL}:other")


async def test_a_stranger_in_a_stream_stops_the_publisher(
    sqlite: Building, redis_url: str, redis_server: RedisServer
) -> None:
    await sqlite.record(*long_history(3))
    with redis_server.client() as look:
        async with publishing(sqlite, redis_url) as publisher, publisher.running() as running:
            await until(lambda: look.exists(ALL) == 1)
            look.xadd(ALL, {"hello": "world"}, id="3-1")
            await sqlite.record(*long_history(3, first=100))
            with pytest.raises(Stopped, match="it ends with 3-1, which is no position"):
                await asyncio.wait_for(asyncio.shield(running), 10)


async def test_a_key_that_is_no_stream_is_named_and_waited_for(
    sqlite: Building, redis_url: str, redis_server: RedisServer
) -> None:
    await sqlite.record(*long_history(3))
    with redis_server.client() as look:
        look.set(TENANT, "mine")
        async with publishing(sqlite, redis_url) as publisher, publisher.running():
            await until(lambda: any("WRONGTYPE" in what for _, what in publisher.noticed))
            look.delete(TENANT)
            await until(lambda: look.exists(TENANT) == 1)


async def restored_from_a_backup(service: ServiceProcess, database: Path, server: RedisServer) -> None:
    """Report, copy the database, report more, put the copy back: what a restore does to streams that went on."""
    backup = database.with_suffix(".backup")
    with server.client() as look:
        await report(service, 3)
        await whole(look, database)
        assert service.terminate() == 0
        shutil.copy(database, backup)
        service.start()
        await report(service, 3)
        await whole(look, database)
        assert service.terminate() == 0
    for path in (database, database.with_name("ims.db-wal"), database.with_name("ims.db-shm")):
        path.unlink(missing_ok=True)
    shutil.copy(backup, database)
    service.start()


@pytest.mark.parametrize("went_on", [0, 5], ids=["behind", "beyond"])
async def test_a_restored_database_is_noticed_and_begins_anew_when_it_is_declared(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer, went_on: int
) -> None:
    service = on_sqlite.start(redis_url=redis_url)
    database = on_sqlite.log
    assert isinstance(database, Path)
    await restored_from_a_backup(service, database, redis_server)
    await stopped(service, "the log ends at 3, and publisher had applied 6 events")
    await report(service, went_on)
    service.terminate()
    service.start()
    another = "the event at position 6 is another one than publisher had applied"
    await stopped(service, another if went_on else "the log ends at 3, and publisher had applied 6 events")
    with redis_server.client() as look:
        before = entries(look)
        assert len(before) == 6
        with pytest.raises(RuntimeError, match="in use by a running service: stop it first"):
            service.command("restored")
        service.terminate()
        told = service.command("restored")
        prefix = next(word.rstrip(",") for word in told.split() if word.startswith("ims:events-"))
        service.start()
        await report(service, 2)
        async with asyncio.timeout(10):
            while (await publisher_of(service))["lag_events"]:
                await asyncio.sleep(0.05)
        async with client(service.url, {}) as one:
            assert (await one.ask("GET", "/status")).body["error"] is None
        log = await events(database)
        assert len(log) == 3 + went_on + 2
        compare(entries(look, prefix), log)
        compare(entries(look, f"{prefix}:acme"), log)
        assert entries(look) == before
        assert entries(look, prefix)[0].event["logid"] != before[0].event["logid"]


def test_while_any_part_of_the_service_runs_the_log_is_not_declared_restored(
    start_service: Callable[..., ServiceProcess], postgres_dsn: str
) -> None:
    service = start_service(database_url=postgres_dsn, run="api")
    with pytest.raises(RuntimeError, match="stop every process of the service first"):
        service.command("restored")
    service.terminate()
    assert service.command("restored").startswith("The log is ")


AT_ODDS = "ims:events does not agree with the log"


async def stopped(service: ServiceProcess, why: str = AT_ODDS) -> None:
    """It says so everywhere, and goes on serving."""
    async with asyncio.timeout(10):
        while why not in str((await publisher_of(service))["failure"]):
            await asyncio.sleep(0.05)
    assert why in service.command("events", "status")
    async with client(service.url, {}) as one:
        assert f"publisher: {why}" in (await one.ask("GET", "/status")).body["error"]
        assert (await one.ask("GET", "/readyz")).status == 200
        async with one.session.get("/metrics") as answer:
            assert 'ims_follower_failing{follower="publisher"} 1.0' in await answer.text()


async def report(service: ServiceProcess, times: int) -> None:
    async with client(service.url, authorization(service)) as one:
        for _ in range(times):
            await one.report()


async def publisher_of(service: ServiceProcess) -> dict[str, Any]:
    async with client(service.url, {}) as one:
        followers = (await one.ask("GET", "/status")).body["followers"]
    (found,) = (follower for follower in followers if follower["name"] == "publisher")
    return dict(found)
