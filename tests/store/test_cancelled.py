"""Whoever is cancelled ends as cancelled, at whatever step and whatever the server does: it is no outage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from projections.database import Database, Unavailable
from service.loops import begun_again
from service.store.postgres import Postgres
from service.store.sqlite import SqliteDatabase
from service.store.sqlite_file import DatabaseFile
from tests.servers.postgres import Postgres as Server
from tests.servers.proxy import FaultProxy

SCHEMA = "cancelled"
TIMEOUT = 0.5
ROWS = [(number, "x" * 1_000) for number in range(2_000)]
STEPS = (0, 1, 3, 8, 34)


@pytest.fixture
async def proxy(postgres: Server, fault_proxy: Callable[[int], Awaitable[FaultProxy]]) -> FaultProxy:
    return await fault_proxy(postgres.port)


@pytest.fixture
async def postgres_database(proxy: FaultProxy, postgres: Server, postgres_dsn: str) -> AsyncIterator[Postgres]:
    database = Postgres(postgres_dsn.replace(str(postgres.port), str(proxy.port)), SCHEMA, 2, TIMEOUT)
    await database.open()
    await database.define(["CREATE TABLE t (n int PRIMARY KEY, words text)"])
    yield database
    proxy.silent.clear()
    proxy.reset()
    database.close()


@pytest.fixture
async def sqlite_database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    file = DatabaseFile(tmp_path / "rows.db", "NORMAL")
    database = SqliteDatabase(file)
    await database.define(["CREATE TABLE t (n int PRIMARY KEY, words text)"])
    yield database
    file.close()


async def write(database: Database) -> None:
    async with database.transaction() as rows:
        await rows.execute("DELETE FROM t")
        await rows.insert("t", ROWS)
        await rows.many("UPDATE t SET words = $2 WHERE n = $1", ROWS)


async def connected(database: Database) -> None:
    """With the connections that were cut off behind it."""
    for _ in range(3):
        with suppress(Unavailable):
            await database.fetch("SELECT 1")


async def write_again_and_again(database: Database) -> None:
    """As a follower does."""
    while True:
        try:
            await write(database)
        except Unavailable:
            await asyncio.sleep(0)


async def cancelled(work: Awaitable[None], steps: int) -> bool:
    """Whether that is how it ended, once it was told after so many turns of the loop."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait({task}, timeout=10)
    return task.cancelled()


async def test_a_writer_to_postgresql_ends_wherever_it_is_cancelled(postgres_database: Postgres) -> None:
    for steps in STEPS:
        assert await cancelled(write_again_and_again(postgres_database), steps), steps
    await write(postgres_database)


async def test_it_ends_while_the_server_does_not_take_what_is_sent(postgres_database: Postgres) -> None:
    async with postgres_database.transaction() as rows:
        await rows.insert("t", [(number, "") for number in range(2_000)])
    waits = "UPDATE t SET words = $2 WHERE n = $1"
    done = False

    async def sending() -> None:
        nonlocal done
        async with postgres_database.transaction() as rows:
            await rows.many(waits, [(number, "x" * 10_000) for number in range(2_000)])
        done = True

    async with postgres_database.transaction() as rows:
        await rows.execute("UPDATE t SET words = '' WHERE n = 0")  # its lock holds the other up
        task = asyncio.ensure_future(sending())
        await asyncio.sleep(TIMEOUT / 4)
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({task}, timeout=10)
    assert task.cancelled()
    assert not done


async def test_it_ends_though_the_server_has_fallen_silent(postgres_database: Postgres, proxy: FaultProxy) -> None:
    for direction in ("up", "down"):
        for steps in STEPS:
            await connected(postgres_database)
            proxy.silent.add(direction)
            assert await cancelled(write_again_and_again(postgres_database), steps), (direction, steps)
            proxy.silent.clear()
            proxy.reset()


async def test_a_writer_to_sqlite_ends_wherever_it_is_cancelled(sqlite_database: SqliteDatabase) -> None:
    for steps in STEPS:
        assert await cancelled(write_again_and_again(sqlite_database), steps), steps
    await write(sqlite_database)


async def test_a_loop_that_turns_its_cancellation_into_another_error_is_not_begun_again() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("closed") from None

    assert await cancelled(begun_again("stubborn", stubborn), 1)
