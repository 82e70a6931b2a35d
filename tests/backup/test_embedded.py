"""`ims backup` while the service works: a copy that a service can start from, with all that was acknowledged before."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import authorization, client, load
from tests.servers.process import ServiceProcess

BACKUPS = 4
LOG, READ_MODELS = "ims.db", "ims.read.db"
_POSITION = "SELECT position FROM followers WHERE name LIKE 'read_models%'"


async def test_copies_made_under_load_are_whole_and_a_service_starts_from_one(
    on_sqlite: Ground, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    service = on_sqlite.start()
    headers = authorization(service)
    async with load(lambda: service.url, headers) as seen:
        for number in range(BACKUPS):
            await asyncio.sleep(0.3)
            before = list(seen.acknowledged)
            folder = tmp_path / f"backup-{number}"
            told = await asyncio.to_thread(service.command, "backup", str(folder))
            assert sorted(path.name for path in folder.iterdir()) == [LOG, READ_MODELS]
            log = await audit(folder / LOG, before)
            assert told == f"{len(log)} events\n"
            assert _position(folder / READ_MODELS) <= len(log)
    assert not seen.refused
    assert before
    service.terminate()
    for path in (tmp_path / "data").glob("ims.*"):
        path.unlink()
    for name in (LOG, READ_MODELS):
        shutil.copy(folder / name, tmp_path / "data" / name)
    service.start()
    async with client(service.url, headers) as one:
        await agree(one, log)
        await one.report()
        await agree(one, await audit(on_sqlite.log, before))


def _position(read_models: Path) -> int:
    with closing(sqlite3.connect(read_models)) as copy:
        return int(copy.execute(_POSITION).fetchone()[0])


def test_a_copy_that_is_there_is_not_written_over(on_sqlite: Ground, tmp_path: Path) -> None:
    service = on_sqlite.start()
    folder = tmp_path / "backup"
    service.command("backup", str(folder))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RuntimeError, match=r"ims\.read\.db is there already: nothing was copied"):
        service.command("backup", str(folder))
    (folder / READ_MODELS).unlink()
    with pytest.raises(RuntimeError, match=r"ims\.db is there already: nothing was copied"):
        service.command("backup", str(folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {LOG: before[LOG]}


def test_a_damaged_database_gives_no_copy(on_sqlite: Ground, tmp_path: Path) -> None:
    service = on_sqlite.start()
    assert service.terminate() == 0
    log = tmp_path / "data" / LOG
    damaged = bytearray(log.read_bytes())
    damaged[4096:8192] = bytes(4096)
    log.write_bytes(damaged)
    with pytest.raises(RuntimeError, match=r"ims\.db cannot be copied whole"):
        service.command("backup", str(tmp_path / "backup"))
    assert not (tmp_path / "backup" / LOG).exists()


def test_what_cannot_be_copied_is_told(on_postgres: Ground, tmp_path: Path) -> None:
    service = on_postgres.start()
    with pytest.raises(RuntimeError, match=r"deploy/BACKUP\.md says how"):
        service.command("backup", str(tmp_path / "backup"))
    with pytest.raises(RuntimeError, match=r"elsewhere/ims\.db is not there: nothing to copy"):
        ServiceProcess(tmp_path, {"data_dir": str(tmp_path / "elsewhere")}).command("backup", str(tmp_path / "backup"))
