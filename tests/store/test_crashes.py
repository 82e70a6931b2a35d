"""kill -9 under load: what was acknowledged is there, once, and positions are dense."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from domain.event import Recorded
from tests.servers.children import spawn, tail, wait_until
from tests.servers.postgres import Postgres
from tests.store.engines import Engine, PostgresEngine, every
from tests.store.events import births, happening
from tests.store.test_log import is_dense

ROOT = Path(__file__).parents[2]
WRITERS = 20


@pytest.fixture(scope="module")
def durable() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


async def server_killed(server: Postgres, database: str, times: int) -> None:
    engine = PostgresEngine(server.create_database(database))
    acknowledged: list[Recorded] = []
    stop = asyncio.Event()

    async with engine.process(deadline=30) as process:

        async def write() -> None:
            id, version = uuid4(), 0
            while not stop.is_set():
                acknowledged.append(await process.writer.append(happening(id, version), repeatable=False))
                version += 1

        writers = [asyncio.create_task(write()) for _ in range(WRITERS)]
        for _ in range(times):
            await asyncio.sleep(0.5)
            server.kill()
            before = len(acknowledged)
            await asyncio.sleep(0.3)  # a while without a server, for those that write
            server.start()
            async with asyncio.timeout(20):
                while len(acknowledged) < before + 2 * WRITERS:
                    await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*writers)
        rows = await every(process.log)
    assert is_dense(rows)
    found = {(row.originator_id, row.originator_version): (row.position, row.recorded_at) for row in rows}
    assert len(found) == len(rows) == len(acknowledged)
    for recorded in acknowledged:
        event = recorded.event
        assert found[event.originator_id, event.originator_version] == (recorded.position, recorded.recorded_at)


async def test_the_server_is_killed_and_the_writer_goes_on_by_itself(durable: Postgres) -> None:
    await server_killed(durable, "once", 1)


@pytest.mark.faults
async def test_the_server_is_killed_again_and_again(durable: Postgres) -> None:
    await server_killed(durable, "often", 10)


async def writer_killed(engine: Engine, tmp_path: Path, times: int) -> None:
    output, log = tmp_path / "acknowledged", tmp_path / "log"
    for _ in range(times):
        before = output.stat().st_size if output.exists() else 0
        child = appending(engine, output, log)
        wait_until(lambda before=before: output.stat().st_size > before + 5_000, child, log=log, seconds=30)  # type: ignore[misc]
        time.sleep(int.from_bytes(os.urandom(1)) / 1000)
        child.kill()
        child.wait()
    said = [line.split() for line in output.read_text().rpartition("\n")[0].splitlines() if line[:4] != "open"]
    acknowledged = {(int(position), UUID(id), int(version)) for position, id, version in said}
    assert len(acknowledged) == len(said) > 50 * times
    async with engine.log() as again:
        await again.append(births(1))
        rows = await every(again)
        assert is_dense(rows)
        assert acknowledged <= {(row.position, row.originator_id, row.originator_version) for row in rows}
        assert len(rows) <= len(said) + times * (WRITERS + 1)


def appending(engine: Engine, output: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.store.appender", engine.url, str(WRITERS)]
    child = spawn(command, log=log, output=output, folder=ROOT, at_parents_death=signal.SIGKILL)
    assert child.poll() is None, tail(log)
    return child


async def test_the_process_that_writes_is_killed(engine: Engine, tmp_path: Path) -> None:
    await writer_killed(engine, tmp_path, 2)


@pytest.mark.faults
async def test_the_process_that_writes_is_killed_again_and_again(engine: Engine, tmp_path: Path) -> None:
    await writer_killed(engine, tmp_path, 20)
