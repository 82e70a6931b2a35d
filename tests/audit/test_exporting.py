"""An export takes its name when it is whole, and goes wherever output goes."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.audit.export import export
from service.settings import Settings
from service.store.mapper import UnreadableEvent
from tests.audit import stores
from tests.audit.stores import exported
from tests.projections.histories import long_history
from tests.servers.process import ServiceProcess

IMS = [sys.executable, "-m", "service"]


async def test_one_that_fails_leaves_what_was_there_before(on_sqlite: Settings, tmp_path: Path) -> None:
    await stores.fill(on_sqlite, long_history(50))
    file = tmp_path / "export"
    before = await exported(on_sqlite, file)
    await stores.sql(on_sqlite, "UPDATE log SET state = x'ff' WHERE notification_id = 40")
    with pytest.raises(UnreadableEvent, match="position 40 is damaged"):
        await export(on_sqlite, file, packed=False)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["export"]


async def test_it_goes_through_a_pipe_into_another_store(
    on_sqlite: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await stores.fill(on_sqlite, long_history(50))
    here, there = (
        ServiceProcess(tmp_path, {"data_dir": str(store.data_dir)}).environment for store in (on_sqlite, elsewhere)
    )
    with subprocess.Popen([*IMS, "audit", "export", "-", "--gzip"], env=here, stdout=subprocess.PIPE) as source:
        subprocess.run([*IMS, "audit", "import", "-"], env=there, stdin=source.stdout, check=True, timeout=30)
    assert source.returncode == 0
    assert await exported(elsewhere, tmp_path / "there") == await exported(on_sqlite, tmp_path / "here")


async def test_what_is_no_file_stays_what_it_is_and_is_written_into(on_sqlite: Settings, tmp_path: Path) -> None:
    """As root one could else lose /dev/null to an export."""
    await stores.fill(on_sqlite, long_history(50))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read, _ = await asyncio.gather(asyncio.to_thread(pipe.read_bytes), export(on_sqlite, pipe, packed=False))
    assert pipe.is_fifo()
    assert read == await exported(on_sqlite, tmp_path / "file")


async def test_a_link_stays_one_and_what_it_leads_to_is_written(on_sqlite: Settings, tmp_path: Path) -> None:
    await stores.fill(on_sqlite, long_history(50))
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(file)
    await exported(on_sqlite, link)
    assert link.is_symlink()
    assert not file.is_symlink()
    assert file.stat().st_size


@pytest.mark.parametrize("path", [".", "/", ""])
async def test_a_folder_is_refused(on_sqlite: Settings, path: str) -> None:
    await stores.fill(on_sqlite, long_history(5))
    with pytest.raises(IsADirectoryError):
        await export(on_sqlite, Path(path), packed=False)
