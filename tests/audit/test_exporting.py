"""An export takes its name when it is whole, and goes wherever output goes."""

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
