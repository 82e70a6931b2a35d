"""The nightly job of the cluster, its script as it is: a verified file of the whole log, which can be brought back."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.deploy.kustomize import containers, rendered
from tests.deploy.test_kubernetes import KUBERNETES
from tests.faults.conftest import Ground
from tests.faults.load import authorization, client
from tests.servers.process import ServiceProcess

DAY_SECONDS = 86_400
KEEP_DAYS = 30


def night(service: ServiceProcess, backups: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    (job,) = (each for each in rendered(KUBERNETES / "backup") if each["kind"] == "CronJob")
    (container,) = containers(job)
    ours = Path(sys.executable).parent
    environment = service.environment | {"PATH": f"{ours}:{os.environ['PATH']}"}
    environment |= {each["name"]: each["value"] for each in container["env"] if "value" in each}
    environment |= {"BACKUPS": str(backups), **settings}
    command = [*container["command"], *container["args"]]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=service.folder)


def put(path: Path, days: int) -> None:
    """A file of that age."""
    path.touch()
    moment = path.stat().st_mtime - days * DAY_SECONDS
    os.utime(path, (moment, moment))


@pytest.mark.parametrize("where", ["on_sqlite", "on_postgres"])
async def test_each_night_leaves_a_verified_copy_that_an_import_brings_back(
    where: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    ground: Ground = request.getfixturevalue(where)
    service = ground.start(checkpoint_interval="0.1")
    async with client(service.url, authorization(service)) as one:
        for _ in range(3):
            await one.report()
        async with asyncio.timeout(30):
            while (await one.ask("GET", "/v1/audit/checkpoint")).status != 200:
                await asyncio.sleep(0.05)
    public_key = tmp_path / "checkpoint-key.pub"
    async with ClientSession() as session, session.get(f"{service.url}/.well-known/ims-checkpoint-key") as answer:
        public_key.write_bytes(await answer.read())
    backups = tmp_path / "backups"
    backups.mkdir()
    put(backups / "ims-1.jsonl.gz", KEEP_DAYS + 2)
    put(backups / "ims-2.jsonl.gz", KEEP_DAYS - 2)
    put(backups / "ims-3.jsonl.gz.draft.gz", 0)
    put(backups / "mine", 99)

    done = night(service, backups, PUBLIC_KEY=str(public_key))

    assert done.returncode == 0, done.stderr
    assert "sound" in done.stdout.splitlines(), done.stdout
    (copy,) = {path.name for path in backups.iterdir()} - {"ims-2.jsonl.gz", "mine"}
    assert copy.startswith("ims-20")
    assert copy.endswith("Z.jsonl.gz")
    assert stat.S_IMODE((backups / copy).stat().st_mode) == 0o600
    elsewhere = ServiceProcess(tmp_path, {"data_dir": str(tmp_path / "elsewhere")})
    elsewhere.command("audit", "import", str(backups / copy))
    assert len(elsewhere.command("audit", "replay").splitlines()) == 3


def test_a_copy_that_cannot_be_verified_gets_no_name(on_sqlite: Ground, tmp_path: Path) -> None:
    service = on_sqlite.start()
    of_another_log = tmp_path / "checkpoint-key.pub"
    of_another_log.write_text("none\n")
    done = night(service, tmp_path, PUBLIC_KEY=str(of_another_log))
    assert done.returncode != 0
    assert list(tmp_path.glob("*.jsonl.gz")) == []
    assert night(service, tmp_path, PUBLIC_KEY=str(tmp_path / "none")).returncode == 0
    assert len(list(tmp_path.glob("*.jsonl.gz"))) == 1


def test_a_night_without_the_database_fails_and_leaves_what_is_there(tmp_path: Path) -> None:
    put(tmp_path / "ims-1.jsonl.gz", KEEP_DAYS + 2)
    done = night(ServiceProcess(tmp_path), tmp_path, IMS_DATABASE_URL=f"sqlite:///{tmp_path}/nowhere.db")
    assert done.returncode != 0
    assert "there is no log" in done.stderr
    assert [path.name for path in tmp_path.glob("ims-*.gz")] == ["ims-1.jsonl.gz"]
