"""Rebuilds that are killed, made under load, gone back from: reads go on, and never show less than they did."""

import asyncio
import random
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import asyncpg
import psutil
import pytest

from service.settings import Settings
from tests.bench.long_log import fill
from tests.faults.agreement import agree, patiently
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import INCIDENTS, authorization, client, load
from tests.faults.shared_rebuild import MODULE
from tests.projections.building import soon
from tests.servers.children import spawn
from tests.servers.process import ServiceProcess

HISTORY = 24_000
"""Events that a rebuild has to go through: enough to be killed among them."""
ALONE, SHARED = "service", MODULE
"""Programs that go through it: by one process, and by two."""
PATIENCE = "20"
"""Seconds that a read may wait, on machines that have more to do: those that fail are not those that are late."""


@pytest.fixture
async def filled(ground: Ground, tmp_path: Path) -> Ground:
    await fill(Settings(data_dir=tmp_path / "data", database_url=_url(ground)), HISTORY)
    return ground


def _url(ground: Ground) -> str:
    return ground.log if isinstance(ground.log, str) else ""


def _rebuild(service: ServiceProcess, program: str = ALONE) -> Popen[bytes]:
    command = [sys.executable, "-m", program, "projections", "rebuild"]
    return spawn(
        command, log=service.folder / "rebuild.log", environment=service.environment, folder=service.folder,
        at_parents_death=signal.SIGKILL,
    )  # fmt: skip


@dataclass
class Seen:
    reads: int = 0


@asynccontextmanager
async def reading(service: ServiceProcess, headers: dict[str, str]) -> AsyncIterator[Seen]:
    """A client that reads while it writes: every read is answered, and none is older than what was written before."""
    seen, over = Seen(), asyncio.Event()

    async def go_on() -> None:
        async with client(service.url, headers) as one:
            incident = await one.report()
            path = f"{INCIDENTS}/{incident['id']}"
            total = 0
            while not over.is_set():
                written = await one.ask("PATCH", path, {"next_update": seen.reads + 1})
                position = str(written.position)
                listed = await one.ask("GET", f"{INCIDENTS}?page=1&size=1&sort=updated_at", Ims_Min_Position=position)
                assert listed.status == 200, listed
                assert listed.data["total"] >= total, "the list went back in time"
                assert listed.data["incidents"][0]["updated_at"] >= written.data["updated_at"]
                past = await one.ask("GET", f"{path}?version={written.data['occ_lock'] - 1}")
                assert past.status == 200, past
                total = listed.data["total"]
                seen.reads += 1

    task = asyncio.create_task(go_on())
    try:
        yield seen
    finally:
        over.set()
        await task


async def kills(filled: Ground, program: str, times: int, seed: int) -> None:
    service = filled.start(read_timeout=PATIENCE)
    headers = authorization(service)
    async with client(service.url, headers) as one:
        before = await patiently(one, INCIDENTS, Ims_Min_Position=str(HISTORY))
        chance, killed = random.Random(seed), 0
        if not _url(filled):
            assert service.terminate() == 0
        for _ in range(times):
            rebuild = _rebuild(service, program)
            await asyncio.sleep(chance.uniform(0.7, 2.0))
            if rebuild.poll() is None:
                rebuild.kill()
                killed += 1
            rebuild.wait()
            if _url(filled):
                assert (await one.ask("GET", INCIDENTS)).data == before.data
        told = await asyncio.to_thread(service.command, "projections", "rebuild")
        assert "0 rows differ" in told
        if not _url(filled):
            service.start()
    assert killed
    async with client(service.url, headers) as one:
        assert (await patiently(one, INCIDENTS, Ims_Min_Position=str(HISTORY))).data == before.data
        await agree(one, await audit(filled.log, []))


@pytest.mark.parametrize(
    ("ground", "program"),
    [("on_sqlite", SHARED), ("on_postgres", ALONE)],
    ids=["sqlite", "postgres"],
    indirect=["ground"],
)
async def test_a_rebuild_that_is_killed_leaves_what_is_read_alone_and_is_resumed(filled: Ground, program: str) -> None:
    await kills(filled, program, times=2, seed=1)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2, 6))
async def test_a_rebuild_that_is_killed_again_and_again(filled: Ground, seed: int) -> None:
    await kills(filled, (ALONE, SHARED)[seed % 2], times=12, seed=seed)


async def test_the_second_process_of_a_rebuild_ends_with_the_one_that_was_killed(filled: Ground) -> None:
    service = filled.start()
    if not _url(filled):
        assert service.terminate() == 0
    rebuild = _rebuild(service, SHARED)
    while not (others := psutil.Process(rebuild.pid).children()):
        await asyncio.sleep(0.01)
    async with _nobody_writes(filled, service):  # nor comes to an end by itself
        rebuild.kill()
        rebuild.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, others, timeout=4)
    assert not alive


@asynccontextmanager
async def _nobody_writes(ground: Ground, service: ServiceProcess) -> AsyncIterator[None]:
    """Whoever wants to write read models waits for five seconds and longer."""
    if _url(ground):
        connection = await asyncpg.connect(_url(ground))
        await connection.execute("BEGIN; LOCK TABLE ims.followers IN EXCLUSIVE MODE")
        yield
        await connection.close()
    else:
        with closing(sqlite3.connect(service.folder / "data" / "ims.read.db", isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            yield


@pytest.mark.parametrize("rounds", [1, pytest.param(3, marks=pytest.mark.faults)])
async def test_under_load_no_read_fails_or_goes_back_in_time_through_rebuilds_and_ways_back(
    on_postgres: Ground, tmp_path: Path, rounds: int
) -> None:
    await fill(Settings(data_dir=tmp_path / "data", database_url=_url(on_postgres)), HISTORY // 4)
    service = on_postgres.start(read_timeout=PATIENCE)
    headers, elsewhere = authorization(service), authorization(service, tenant="globex")
    async with (
        load(lambda: service.url, headers, clients=2) as busy,
        reading(service, elsewhere) as one,
        reading(service, elsewhere) as another,
    ):
        await asyncio.sleep(0.5)
        for command in ("rebuild", "back") * rounds:
            told = await asyncio.to_thread(service.command, "projections", command)
            if command == "rebuild":
                assert "0 rows differ" in told, told
            reads = min(one.reads, another.reads)
            await soon(lambda reads=reads: _beyond(reads + 5, one, another), float(PATIENCE) / 2)
    assert not busy.refused
    async with client(service.url, headers) as one_more:
        await agree(one_more, await audit(on_postgres.log, busy.acknowledged))
    status = service.command("projections", "status")
    assert re.search(r"read_models_v\d+ +│ 1 +│", status), status
    assert re.search(rf"generation {rounds + 1} of read_models_v\d+ is kept at position \d+, until", status), status


async def _beyond(reads: int, *readers: Seen) -> bool:
    return all(reader.reads > reads for reader in readers)


async def test_a_second_rebuild_at_once_is_refused(on_postgres: Ground, tmp_path: Path) -> None:
    await fill(Settings(data_dir=tmp_path / "data", database_url=_url(on_postgres)), HISTORY)
    service = on_postgres.start()
    both = [_rebuild(service), _rebuild(service)]
    ended = sorted([await asyncio.to_thread(one.wait, 60) for one in both])
    assert ended == [0, 1]
    assert "another rebuild is running" in (service.folder / "rebuild.log").read_text()
