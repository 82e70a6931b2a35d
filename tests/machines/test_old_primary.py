"""What clients of the API see while a primary is up that can no longer vouch for what it commits."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
import pytest

from tests.domain.examples import BREACH
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.load import INCIDENTS, Acknowledged, Answer, Client, authorization, client, load
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.standby import Standby, pair, url_of

DATABASE_SECONDS, WRITE_SECONDS = 1.0, 1.5
PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 20.0
STOP_WAITING = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def servers() -> Iterator[tuple[Postgres, Standby]]:
    with pair() as servers:
        yield servers


@pytest.fixture
def service(start_service: Callable[..., ServiceProcess], servers: tuple[Postgres, Standby]) -> ServiceProcess:
    return start_service(
        database_url=url_of(*servers), rate_limit="off",
        database_timeout=str(DATABASE_SECONDS), write_timeout=str(WRITE_SECONDS),
    )  # fmt: skip


@pytest.fixture
async def one(service: ServiceProcess) -> AsyncIterator[Client]:
    async with client(service.url, authorization(service)) as one:
        yield one


async def report(one: Client, key: str) -> Answer:
    return await one.ask("POST", INCIDENTS, BREACH, key=key)


async def test_a_repeat_is_not_told_of_an_event_that_the_standby_lacks(
    one: Client, servers: tuple[Postgres, Standby]
) -> None:
    primary, standby = servers
    assert (await report(one, "first")).status == 201
    outside = await asyncpg.connect(primary.dsn)
    try:
        standby.freeze()
        sent = asyncio.create_task(report(one, "second"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await outside.fetchval(STOP_WAITING):
                await asyncio.sleep(0.01)
            assert ((await sent).status, (await sent).code) == (503, "OUTCOME_UNKNOWN")
            while await outside.fetchval("SELECT count(*) FROM ims.log") < 2:  # committed, and anybody can read it
                await asyncio.sleep(0.01)
        assert (await report(one, "second")).status == 503
        standby.thaw()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (again := await report(one, "second")).status == 503:
                await asyncio.sleep(0.05)
        assert (again.status, again.position) == (201, 2)
    finally:
        outside.terminate()
    await agree(one, await audit(primary.dsn, [Acknowledged(2, again.data["id"], 0)]))


async def test_a_standby_that_lacks_the_newest_events_ends_the_processes_that_remember_them(
    start_service: Callable[..., ServiceProcess],
) -> None:
    """An asynchronous one; started again, they know what it has and nothing else."""
    with Postgres() as primary, Standby(primary) as standby:
        service = start_service(database_url=url_of(primary, standby), rate_limit="off")
        async with client(service.url, authorization(service)) as one:
            kept = await one.report()
            await until_streamed(standby, 1)
            standby.kill()
            lost = await one.report()
            primary.kill()
            await asyncio.to_thread(standby.start)
            await asyncio.to_thread(standby.promote)
            assert await asyncio.to_thread(service.running.wait, PATIENCE_SECONDS) == 1
        assert "position 2 of the log is gone" in service.logs
        assert "Traceback" not in service.logs
        service.start()
        async with client(service.url, authorization(service)) as one:
            async with asyncio.timeout(PATIENCE_SECONDS):  # until the lease of the process that ended has expired
                while (await one.ask("GET", f"{INCIDENTS}/{kept['id']}")).status == 503:
                    await asyncio.sleep(0.05)
            assert (await one.ask("GET", f"{INCIDENTS}/{kept['id']}")).status == 200
            assert (await one.ask("GET", f"{INCIDENTS}/{lost['id']}")).status == 404
            assert (await report(one, "next")).position == 2
            await agree(one, await audit(standby.dsn))


async def until_streamed(standby: Standby, events: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while standby.sql("SELECT count(*) FROM ims.log") != str(events):
            await asyncio.sleep(0.02)


async def test_a_primary_that_freezes_and_wakes_after_a_failover_has_said_nothing_that_counts(
    service: ServiceProcess, one: Client, servers: tuple[Postgres, Standby]
) -> None:
    primary, standby = servers
    async with load(lambda: service.url, authorization(service), clients=4) as seen:
        await asyncio.sleep(PAUSE_SECONDS)
        primary.freeze()
        await asyncio.to_thread(standby.promote)
        before = len(seen.acknowledged)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(seen.acknowledged) == before:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(primary.thaw)
        await asyncio.sleep(2 * PAUSE_SECONDS)
    assert {status for status, _ in seen.refused} <= {503}
    log = await audit(standby.dsn, seen.acknowledged)
    await agree(one, log)
    assert "Traceback" not in service.logs
