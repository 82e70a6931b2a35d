"""The versioned schema: made once, whoever comes first, and left alone when it is newer than the code."""

import asyncio
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from service.store.errors import InUse
from service.store.migrations import SchemaTooNew, steps
from service.store.sqlite import SqliteDatabase
from service.store.sqlite_schema import only_writer
from tests.servers.children import spawn, tail, wait_until
from tests.store.engines import Engine, PostgresEngine, SqliteEngine, every
from tests.store.events import births

ROOT = Path(__file__).parents[2]
CALLED = """
    SELECT format('%s(%s) RETURNS %s', proname, pg_get_function_arguments(oid), pg_get_function_result(oid)) AS what
    FROM pg_proc WHERE pronamespace = 'ims'::regnamespace
    UNION SELECT format('%s.%s %s', table_name, column_name, data_type)
    FROM information_schema.columns WHERE table_schema = 'ims'"""
BEFORE_ROLLING_UPGRADES = {2}
"""Migrations to these versions may only be run where no process of an earlier one is left, as deploy/README.md says."""


@pytest.fixture
def postgres_engine(empty_postgres_dsn: str) -> PostgresEngine:
    """One that nobody has made the schema for."""
    return PostgresEngine(empty_postgres_dsn)


async def test_no_migration_takes_away_what_the_release_before_it_calls(empty_postgres_dsn: str) -> None:
    """Its processes go on beside those of the new one: what it calls is dropped a release later at the earliest."""
    connection = await asyncpg.connect(empty_postgres_dsn)
    lost: dict[int, set[str]] = {}
    try:
        await connection.execute("CREATE SCHEMA ims; SET search_path = ims")
        there: set[str] = set()
        for number, sql in enumerate(steps("postgres"), start=1):
            await connection.execute(sql.replace("{schema}", "ims"))
            now = {row["what"] for row in await connection.fetch(CALLED)}
            if there - now:
                lost[number] = there - now
            there = now
    finally:
        await connection.close()
    assert there
    assert lost.keys() == BEFORE_ROLLING_UPGRADES, lost


async def test_it_is_made_once_and_kept(engine: Engine) -> None:
    async with engine.log() as log:
        await log.append(births(2))
    async with engine.log() as again:
        assert again.log_id == log.log_id
        assert len(await every(again)) == 2


async def test_one_that_is_newer_is_refused_with_a_word_on_what_to_do(engine: Engine) -> None:
    async with engine.log():
        pass
    newer = len(steps("postgres" if isinstance(engine, PostgresEngine) else "sqlite")) + 1
    if isinstance(engine, PostgresEngine):
        await engine.sql(f"INSERT INTO schema_version VALUES ({newer})")
    else:
        await engine.sql(f"PRAGMA user_version = {newer}")
    with pytest.raises(
        SchemaTooNew, match=rf"version {newer}, this release knows {newer - 1}: start the newer release"
    ):
        async with engine.log():
            pass


async def test_many_at_once_make_one(engine: Engine) -> None:
    async def identity() -> object:
        async with engine.log() as log:
            return log.log_id

    assert len(set(await asyncio.gather(*(identity() for _ in range(6))))) == 1


def test_two_processes_at_once_make_one(tmp_path: Path, postgres_engine: PostgresEngine) -> None:
    outputs = [tmp_path / f"{number}.out" for number in range(2)]
    log = tmp_path / "log"
    children = [
        spawn(
            [sys.executable, "-m", "tests.store.appender", postgres_engine.url, "0"],
            log=log,
            output=output,
            folder=ROOT,
            at_parents_death=signal.SIGKILL,
        )
        for output in outputs
    ]
    assert [child.wait(20) for child in children] == [0, 0], tail(log)
    said = {output.read_text().splitlines()[-1] for output in outputs}
    assert len(said) == 1
    assert said.pop().startswith("open ")


def test_a_second_process_on_one_file_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    engine, output, log = SqliteEngine(tmp_path / "log.db"), tmp_path / "out", tmp_path / "log"
    with only_writer(engine.path):
        pass
    child = spawn(
        [sys.executable, "-m", "tests.store.appender", engine.url, "1"],
        log=log,
        output=output,
        folder=ROOT,
        at_parents_death=signal.SIGKILL,
    )
    wait_until(lambda: "open" in output.read_text(), child, log=log, seconds=20)
    with pytest.raises(InUse, match="stop it first"), only_writer(engine.path):
        pass
    child.kill()
    child.wait()
    with only_writer(engine.path):
        pass


async def test_who_only_reads_may_read_while_it_is_in_use(sqlite_engine: SqliteEngine) -> None:
    with only_writer(sqlite_engine.path):
        async with sqlite_engine.log() as log, sqlite_engine.log() as reader:
            await log.append(births(1))
            assert await reader.head() == 1


async def test_a_transaction_that_is_cancelled_while_it_begins_leaves_nothing_open(sqlite_engine: SqliteEngine) -> None:
    async with sqlite_engine.log() as log, sqlite_engine.log() as other:
        database = SqliteDatabase(log._file)
        await other._file.write(lambda connection: connection.execute("BEGIN IMMEDIATE"))
        begun = asyncio.create_task(database.execute("UPDATE log_identity SET log_id = 'x'"))
        await asyncio.sleep(0.1)
        begun.cancel()
        await asyncio.sleep(0.1)
        await other._file.write(lambda connection: connection.execute("ROLLBACK"))
        await asyncio.gather(begun, return_exceptions=True)
        assert await database.execute("UPDATE log_identity SET log_id = log_id") == 1
        assert await database.fetch("SELECT log_id FROM log_identity") == [(log.log_id.hex,)]
