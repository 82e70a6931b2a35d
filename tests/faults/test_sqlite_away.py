"""The files of the embedded database are moved, replaced or damaged under the service: 503s until they are back.

Nobody should do that; but what is acknowledged then must not be in a file that goes with the process.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.domain.examples import BREACH
from tests.faults.load import INCIDENTS, Client, authorization, client
from tests.servers.process import ServiceProcess

RECOVERY_SECONDS = 10.0
PAGE = 4096
NOISE = b"\xa5"


@pytest.fixture
def service(start_service: Callable[..., ServiceProcess]) -> ServiceProcess:
    return start_service(write_timeout="1")


async def test_a_log_that_was_moved_takes_nothing_until_it_is_back(service: ServiceProcess, tmp_path: Path) -> None:
    file = tmp_path / "data" / "ims.db"
    async with client(service.url, authorization(service)) as one:
        await one.report()
        file.rename(tmp_path / "aside")
        await asyncio.sleep(1.5)  # every loop has looked once more
        assert (await one.ask("POST", INCIDENTS, BREACH)).status == 503
        assert not file.exists()
        (tmp_path / "aside").rename(file)
        await _goes_on(one)
    _was_calm(service)


async def test_nothing_is_acknowledged_that_goes_into_a_log_that_was_replaced(
    service: ServiceProcess, tmp_path: Path
) -> None:
    """As by whoever forgets to stop the service before a backup is put in its place."""
    file = tmp_path / "data" / "ims.db"
    async with client(service.url, authorization(service)) as one:
        await one.report()
        shutil.copy(file, tmp_path / "backup")
        (tmp_path / "backup").rename(file)
        for _ in range(2):
            assert (await one.ask("POST", INCIDENTS, BREACH)).status == 503
    assert "is not the file any more that was opened" in service.logs
    _was_calm(service)


@pytest.mark.parametrize("name", ["ims.db", "ims.read.db"], ids=["log", "read_models"])
@pytest.mark.parametrize("part", [slice(0, 16), slice(PAGE, None)], ids=["head", "pages"])
async def test_a_damaged_file_is_away_until_it_is_repaired(
    service: ServiceProcess, tmp_path: Path, name: str, part: slice
) -> None:
    file = tmp_path / "data" / name
    async with client(service.url, authorization(service)) as one:
        for _ in range(3):
            await one.report()
        await _goes_on(one)
        whole = _written_out(file)
        _write(file, part.start, NOISE * len(whole[part]))
        await asyncio.sleep(1.5)  # every loop has looked once more
        async with asyncio.timeout(RECOVERY_SECONDS):
            while 503 not in (seen := await _asked(one)):
                assert seen == {201, 200}  # of pages that are still in memory
        _write(file, part.start, whole[part])
        await _goes_on(one)
    _was_calm(service)


async def _asked(one: Client) -> set[int]:
    return {(await one.ask("POST", INCIDENTS, BREACH)).status, (await one.ask("GET", INCIDENTS)).status}


def _written_out(file: Path) -> bytes:
    """What is in the file, once nothing is beside it."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return file.read_bytes()


def _write(file: Path, start: int, content: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(content)


async def _goes_on(one: Client) -> None:
    """Writing, the read models, the tree."""
    async with asyncio.timeout(RECOVERY_SECONDS):
        while (await one.ask("POST", INCIDENTS, BREACH)).status != 201:
            await asyncio.sleep(0.05)
        for path in (INCIDENTS, "/v1/audit/checkpoint"):
            while (await one.ask("GET", path)).status != 200:
                await asyncio.sleep(0.05)


def _was_calm(service: ServiceProcess) -> None:
    assert service.running.poll() is None
    assert "Traceback" not in service.logs
