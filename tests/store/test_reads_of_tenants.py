"""One tenant's endless reads, on either engine: another's go on, and what nobody waits for any more ends."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from projections.database import Database, Unavailable
from service.store.errors import TookTooLong
from service.store.postgres import Postgres
from service.store.sqlite import SqliteDatabase
from service.store.sqlite_file import DatabaseFile
from service.store.turns import ASKING
from tests.store.engines import SCHEMA, engine_of

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT 1 - i FROM n) SELECT count(*) FROM n"
PLACES = 4
"""Reader threads, or connections."""

Opened = Callable[..., Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """`async with opened(timeout=5) as database`."""

    @asynccontextmanager
    async def sqlite(timeout: float) -> AsyncIterator[Database]:
        file = DatabaseFile(tmp_path / "ims.db", "NORMAL", timeout)
        yield SqliteDatabase(file)
        file.close()

    @asynccontextmanager
    async def postgresql(url: str, timeout: float) -> AsyncIterator[Database]:
        database = Postgres(url, SCHEMA, PLACES, timeout)
        await database.open()
        yield database
        database.close()

    if request.param == "sqlite":
        return sqlite
    return partial(postgresql, request.getfixturevalue("postgres_dsn"))


def asked_by(tenant_id: str, database: Database, sql: str) -> asyncio.Task[Any]:
    with asking(tenant_id):
        return asyncio.ensure_future(database.fetch(sql))


@contextmanager
def asking(tenant_id: str) -> Any:
    token = ASKING.set(tenant_id)
    yield
    ASKING.reset(token)


async def ended(*tasks: asyncio.Task[Any]) -> list[Any]:
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_tenant_that_asks_for_too_much_leaves_a_place_for_others(opened: Opened) -> None:
    async with opened(timeout=60) as database:
        endless = [asked_by("greedy", database, ENDLESS) for _ in range(5 * PLACES)]
        await asyncio.sleep(0.1)  # they are under way
        async with asyncio.timeout(30):
            for _ in range(3):
                assert (await asked_by("modest", database, "SELECT 1"))[0][0] == 1
        assert not any(task.done() for task in endless)
        await ended(*endless)


async def test_what_nobody_waits_for_any_more_ends(opened: Opened) -> None:
    """Each takes a place; more of them than there are places would leave none."""
    async with opened(timeout=60) as database:
        for _ in range(3):
            endless = [asked_by("gone", database, ENDLESS) for _ in range(5 * PLACES)]
            await asyncio.sleep(0.02)
            await ended(*endless)
            async with asyncio.timeout(30):
                assert (await asked_by("gone", database, "SELECT 1"))[0][0] == 1


async def test_a_tenants_read_has_a_deadline_and_then_its_place_is_free(opened: Opened) -> None:
    async with opened(timeout=0.3) as database:
        async with asyncio.timeout(30):
            for _ in range(2):
                outcomes = await asyncio.gather(
                    *(asked_by("slow", database, ENDLESS) for _ in range(PLACES - 1)), return_exceptions=True
                )
                assert [type(outcome) for outcome in outcomes] == [TookTooLong] * (PLACES - 1)
        async with asyncio.timeout(30):
            while True:
                try:
                    assert (await asked_by("slow", database, "SELECT 1"))[0][0] == 1
                    break
                except TookTooLong:
                    """The machine is busy."""


async def test_what_is_closed_waits_for_no_read(opened: Opened) -> None:
    async with opened(timeout=60) as database:
        endless = [asked_by(tenant, database, ENDLESS) for tenant in ("one", "two")]
        await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*endless, return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)


async def test_a_connection_outlives_what_was_stopped_and_nothing_is_doubted(postgres_dsn: str) -> None:
    lost: list[str] = []
    database = Postgres(postgres_dsn, SCHEMA, 1, 0.3)
    await database.open()
    database.on_loss(lambda: lost.append("lost"))
    ((session,),) = await database.fetch("SELECT pg_backend_pid()")
    with pytest.raises(TookTooLong):
        await database.fetch(ENDLESS)
    assert await used_again(database) == session
    left = asked_by("gone", database, ENDLESS)
    await asyncio.sleep(0.05)
    await ended(left)
    assert await used_again(database) == session
    assert not lost
    await engine_of(postgres_dsn).sql(f"SELECT pg_terminate_backend({session})")
    async with asyncio.timeout(30):
        while not lost:  # somebody else ended that one
            await asyncio.sleep(0.01)
    database.close()


async def used_again(database: Postgres) -> int:
    async with asyncio.timeout(30):
        while True:
            try:
                return int((await database.fetch("SELECT pg_backend_pid()"))[0][0])
            except Unavailable:
                """It is not free yet."""


async def test_what_is_written_is_not_interrupted(tmp_path: Path) -> None:
    file, began, go_on = DatabaseFile(tmp_path / "ims.db", "NORMAL"), threading.Event(), threading.Event()

    def work(connection: Any) -> None:
        began.set()
        go_on.wait(10)
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")

    with asking("gone"):
        writing = asyncio.ensure_future(file.write(work))
    await asyncio.to_thread(began.wait, 10)
    await ended(writing)
    go_on.set()
    await file.write(lambda connection: connection.execute("SELECT 1"))
    assert await file.read(lambda connection: connection.execute("SELECT n FROM t").fetchall()) == [(1,)]
    file.close()
