"""The pool of connections to PostgreSQL: bounded, and rid of what a bad network leaves behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from projections.database import Unavailable
from service.store.errors import Unreachable
from service.store.postgres import Postgres
from tests.servers.postgres import Postgres as Server
from tests.servers.proxy import FaultProxy
from tests.store.engines import SCHEMA

SIZE, TIMEOUT = 3, 0.5


@pytest.fixture
async def proxy(postgres: Server, fault_proxy: Callable[[int], Awaitable[FaultProxy]]) -> FaultProxy:
    return await fault_proxy(postgres.port)


@pytest.fixture
async def database(proxy: FaultProxy, postgres: Server, postgres_dsn: str) -> AsyncIterator[Postgres]:
    database = Postgres(postgres_dsn.replace(str(postgres.port), str(proxy.port)), SCHEMA, SIZE, TIMEOUT)
    await database.open()
    yield database
    proxy.silent.clear()
    proxy.reset()
    database.close()


async def one(database: Postgres) -> object:
    return (await database.fetch("SELECT 1"))[0][0]


async def unavailable_in_time(work: Awaitable[object], seconds: float = 3 * TIMEOUT) -> None:
    begin = time.monotonic()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(work, 5)
    assert time.monotonic() - begin < seconds


async def test_there_are_never_more_than_were_asked_for(database: Postgres, proxy: FaultProxy) -> None:
    assert await asyncio.gather(*(one(database) for _ in range(50))) == [1] * 50
    assert 1 <= proxy.connections <= SIZE


async def test_who_waits_too_long_for_one_is_told(database: Postgres) -> None:
    await asyncio.gather(*(unavailable_in_time(database.fetch("SELECT pg_sleep(5)"), 2) for _ in range(SIZE + 2)))
    assert await one(database) == 1


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_connection_that_fell_silent_is_not_used_again(
    database: Postgres, proxy: FaultProxy, direction: str
) -> None:
    await asyncio.gather(*(one(database) for _ in range(SIZE)))
    proxy.silent.add("up" if direction == "up" else "down")
    for _ in range(2):
        await asyncio.gather(*(unavailable_in_time(one(database)) for _ in range(SIZE)))
    proxy.silent.clear()
    assert await asyncio.wait_for(asyncio.gather(*(one(database) for _ in range(SIZE))), 5) == [1] * SIZE


async def test_a_transaction_that_falls_silent_ends_in_time(database: Postgres, proxy: FaultProxy) -> None:
    async def write() -> None:
        async with database.transaction() as rows:
            await rows.execute("INSERT INTO t VALUES (1)")
            proxy.silent.add("down")
            await rows.execute("INSERT INTO t VALUES (2)")

    await database.define(["CREATE TABLE t (n int)"])
    for _ in range(SIZE + 1):
        await unavailable_in_time(write(), 2)
        proxy.silent.clear()
    async with asyncio.timeout(5):
        assert (await database.fetch("SELECT count(*) FROM t"))[0][0] == 0


async def test_connections_that_were_cut_are_replaced(database: Postgres, proxy: FaultProxy) -> None:
    for _ in range(3):
        await asyncio.gather(*(one(database) for _ in range(SIZE)))
        proxy.reset()
        await asyncio.sleep(0.05)
        assert await asyncio.gather(*(one(database) for _ in range(SIZE))) == [1] * SIZE


async def test_a_server_that_takes_no_connection_was_sent_nothing(database: Postgres, proxy: FaultProxy) -> None:
    await proxy.refuse()
    for _ in range(SIZE + 1):
        with pytest.raises(Unreachable):
            await one(database)
    await proxy.accept()
    assert await one(database) == 1


async def test_who_gives_up_gives_the_place_back(database: Postgres) -> None:
    for _ in range(2 * SIZE):
        asked = [asyncio.create_task(database.fetch("SELECT pg_sleep(5)")) for _ in range(SIZE + 1)]
        await asyncio.sleep(0.02)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    assert await asyncio.gather(*(one(database) for _ in range(2 * SIZE))) == [1] * (2 * SIZE)


async def test_a_mistake_is_no_outage(database: Postgres) -> None:
    async def fail() -> None:
        async with database.transaction() as rows:
            await rows.execute("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(asyncpg.DataError):
        await database.fetch("SELECT $1::int", 2**40)
    await database.define(["CREATE TABLE t (n int)"])
    for _ in range(SIZE + 1):
        with pytest.raises(ZeroDivisionError):
            await fail()
    assert (await database.fetch("SELECT count(*) FROM t"))[0][0] == 0


async def test_a_url_that_means_nothing_is_told_so() -> None:
    with pytest.raises(Unreachable, match="sslmode"):
        await Postgres("postgresql://localhost/x?sslmode=nonsense", SCHEMA, SIZE, TIMEOUT).open()


async def test_closed_is_closed(database: Postgres) -> None:
    await one(database)
    database.close()
    with pytest.raises(Unavailable):
        await one(database)
