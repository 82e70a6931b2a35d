"""A primary with a synchronous standby: what is acknowledged is on both, and the one that takes writes is found."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import asyncpg
import pytest

from projections.database import Unavailable
from service.database_url import postgres
from service.store.errors import Unreachable
from service.store.log import Log, Outcome, Verdict
from tests.servers.postgres import Postgres
from tests.servers.standby import Standby, pair, url_of
from tests.store.engines import PostgresEngine, every
from tests.store.events import births, entry

A = UUID(int=0xA)
COMMAND = UUID(int=0xC0)
TIMEOUT = 1.0
FIND_SECONDS = 20.0
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
GIVE_UP_WAITING = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def servers() -> Iterator[tuple[Postgres, Standby]]:
    with pair() as servers:
        yield servers


@pytest.fixture
async def log(servers: tuple[Postgres, Standby]) -> AsyncIterator[Log]:
    async with PostgresEngine(url_of(*servers)).log(TIMEOUT) as log:
        yield log


@asynccontextmanager
async def looking(server: Postgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.dsn)
    try:
        yield connection
    finally:
        connection.terminate()


async def until_waiting(server: asyncpg.Connection) -> None:
    async with asyncio.timeout(FIND_SECONDS):
        while not await server.fetchval(WAITING):
            await asyncio.sleep(0.01)


async def placed(log: Log) -> list[Outcome]:
    """A fresh event, as soon as somebody takes it."""
    async with asyncio.timeout(FIND_SECONDS):
        while True:
            try:
                return await log.append(births(1))
            except Unavailable:
                await asyncio.sleep(0.05)


async def test_an_event_that_the_standby_lacks_is_not_acknowledged_however_often_it_is_sent(
    log: Log, servers: tuple[Postgres, Standby]
) -> None:
    primary, standby = servers
    once = [entry(A, 0, COMMAND)]
    async with looking(primary) as outside:
        standby.freeze()
        sent = asyncio.create_task(log.append(once))
        await until_waiting(outside)
        await outside.fetch(GIVE_UP_WAITING)  # the commit is done then, here, and the server merely warns of it
        with pytest.raises(Unavailable, match="canceling wait for synchronous replication"):
            await sent
        assert await log.head() == 1
        for again in (log.append(once), log.append([entry(A, 0, COMMAND)]), log.confirm()):
            with pytest.raises(Unavailable):
                await again
        standby.thaw()
        ((verdict, position, _),) = await log.append(once)
        assert (verdict, position) == (Verdict.APPENDED, 1)
        await log.confirm()


async def test_an_append_that_is_given_up_leaves_nothing_to_be_read_that_the_standby_lacks(
    log: Log, servers: tuple[Postgres, Standby]
) -> None:
    """Its time-out must not end the server's wait: readers and followers would see what a failover loses."""
    _, standby = servers
    standby.freeze()
    with pytest.raises(Unavailable):
        await log.append(births(1))
    await asyncio.sleep(TIMEOUT)
    assert await every(log) == []
    standby.thaw()
    assert [outcome.position for outcome in await placed(log)] == [2]


async def test_a_primary_that_hangs_is_left_for_the_one_that_was_promoted(
    log: Log, servers: tuple[Postgres, Standby]
) -> None:
    """And not before: a standby takes no writes."""
    primary, standby = servers
    async with PostgresEngine(url_of(standby, primary)).log(TIMEOUT) as other:
        await log.append(births(2))
        assert await other.head() == 2
        primary.freeze()
        with pytest.raises(Unavailable):
            await log.append(births(1))
        with pytest.raises(Unreachable, match="read-write"):
            await log.append(births(1))
        standby.promote()
        ((verdict, position, _),) = await placed(log)
        assert (verdict, position) == (Verdict.APPENDED, 3)
        primary.thaw()  # it does not know; whoever asks it would be told that it takes writes
        for one in (log, other):
            await asyncio.gather(*(placed(one) for _ in range(5)))
        head = len(await every(log))
        async with AsyncExitStack() as late:
            newcomer = await late.enter_async_context(PostgresEngine(url_of(primary, standby)).log(TIMEOUT))
            assert await newcomer.head() == await log.head() == await other.head() == head
        async with looking(primary) as outside:
            assert await outside.fetchval("SELECT count(*) FROM ims.log") == 2


async def test_a_primary_that_went_on_is_left_with_all_connections_as_soon_as_one_is_made_to_the_new(
    servers: tuple[Postgres, Standby],
) -> None:
    primary, standby = servers
    async with PostgresEngine(url_of(primary, standby)).process(timeout=TIMEOUT) as process:
        await asyncio.gather(*(process.log.head() for _ in range(20)))  # idle ones, that no time-out ends
        standby.promote()
        primary.set(synchronous_standby_names="nobody")
        async with looking(standby) as outside:
            await placed(process.log)
            assert await process.log.head() == await outside.fetchval("SELECT count(*) FROM ims.log") == 1


def test_a_url_of_several_hosts_is_taken_apart() -> None:
    assert postgres("postgresql://u:p%40@one:5433,two/db?sslmode=verify-full").urls == (
        "postgresql://u:p%40@one:5433/db?sslmode=verify-full",
        "postgresql://u:p%40@two/db?sslmode=verify-full",
    )
    assert postgres("postgresql:///db?host=/run/postgresql").urls == ("postgresql://%2Frun%2Fpostgresql/db",)
