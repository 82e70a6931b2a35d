"""What the service keeps is read by its own user alone, whatever the umask; what it finds open it closes."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from service.audit.signing_key import ensure_signing_key
from service.auth.local_key import ensure_local_key
from service.engines import open_engine
from service.private_files import close_file, create_file, make_folder, open_new
from service.settings import Settings
from tests.servers.process import ROOT

SOMEBODY = 65534
"""A user with no rights, as every Linux has one."""
LOADED = """
import importlib.readers, os, sys, uvloop
import service.cli, service.migrating, service.backup, service.audit.export, service.auth.minting
from service.store import migrations
known = {engine: migrations.steps(engine) for engine in ("sqlite", "postgres")}
migrations.steps = known.__getitem__
"""
"""All that the commands load later, of code and of SQL: another user may not be able to read it."""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in folder.rglob("*")} | {".": mode(folder)}


def ims(folder: Path, *arguments: str, umask: int = 0, user: int | None = None) -> subprocess.CompletedProcess[str]:
    become = "" if user is None else f"os.setgroups([]); os.setgid({user}); os.setuid({user})\n"
    program = f"{LOADED}{become}sys.argv[0] = 'ims'\nservice.cli.main()"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IMS_")}
    environment |= {"PYTHONPATH": str(ROOT), "IMS_DATA_DIR": str(folder / "data")}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=False, capture_output=True, text=True, umask=umask, env=environment, cwd=folder,
    )  # fmt: skip


@pytest.fixture
def of_somebody() -> Iterator[Path]:
    """A folder that everybody may enter and that belongs to a user without rights."""
    folder = Path(tempfile.mkdtemp(prefix="ims-rights-"))
    folder.chmod(0o755)
    (folder / "data").mkdir(mode=0o700)
    for path in (folder, folder / "data"):
        os.chown(path, SOMEBODY, SOMEBODY)
    yield folder
    shutil.rmtree(folder)


def test_data_backups_exports_and_keys_are_private_under_an_umask_that_takes_nothing_away(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ensure_local_key(tmp_path / "data")
        ensure_signing_key(tmp_path / "keys" / "checkpoint-key.pem")
    finally:
        os.umask(before)
    for arguments in (
        ("migrate",), ("backup", str(tmp_path / "backup")), ("audit", "export", str(tmp_path / "export.jsonl")),
    ):  # fmt: skip
        done = ims(tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        assert "rights_tightened" not in done.stderr, "they are made so, not mended"
    assert modes(tmp_path / "data") == {
        ".": 0o700, "ims.db": 0o600, "ims.db.lock": 0o600, "ims.read.db": 0o600, "signing-key.json": 0o600,
    }  # fmt: skip
    assert modes(tmp_path / "keys") == {".": 0o700, "checkpoint-key.pem": 0o600}
    assert modes(tmp_path / "backup") == {".": 0o700, "ims.db": 0o600, "ims.read.db": 0o600}
    assert mode(tmp_path / "export.jsonl") == 0o600


async def test_what_an_earlier_release_left_open_is_closed_and_recorded(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    async with open_engine(settings):
        pass
    for path in (settings.data_dir, *settings.data_dir.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with structlog.testing.capture_logs() as logs:
        async with open_engine(settings):
            found = modes(settings.data_dir)
    assert found.pop(".") == 0o700
    assert {"ims.db", "ims.db-wal", "ims.db-shm", "ims.read.db", "ims.read.db-wal", "ims.db.lock"} <= found.keys()
    assert set(found.values()) == {0o600}
    said = {Path(str(each["path"])).name: (each["before"], each["after"]) for each in logs}
    assert {each["event"] for each in logs} == {"rights_tightened"}
    assert said["data"] == ("0755", "0700")
    assert said["ims.db"] == said["ims.read.db"] == said["ims.db.lock"] == ("0644", "0600")


async def test_files_beside_a_database_are_closed_too(tmp_path: Path) -> None:
    """A process that was killed leaves them there; a copy of them may be open to all."""
    settings = Settings(data_dir=tmp_path / "data")
    async with open_engine(settings):
        for path in settings.data_dir.glob("*.db-*"):
            path.chmod(0o666)
        async with open_engine(settings, writing=False) as reader:
            await reader.database.fetch("SELECT 1")
            found = modes(settings.data_dir)
    assert set(found.values()) == {0o700, 0o600}, found


async def test_a_folder_that_holds_other_things_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    async with open_engine(Settings(data_dir=tmp_path / "data", database_url=f"sqlite:///{tmp_path}/ims.db")):
        assert mode(tmp_path / "ims.db") == 0o600
    assert mode(tmp_path) == 0o755
    tmp_path.chmod(0o1777)
    async with open_engine(Settings(data_dir=tmp_path)):
        assert mode(tmp_path) == 0o1777


def test_a_new_file_never_follows_a_link_nor_keeps_the_rights_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "old").touch(0o666)
    with open(tmp_path / "old", "wb", opener=open_new) as file:
        file.write(b"new")
    assert mode(tmp_path / "old") == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        open(tmp_path / "link", "wb", opener=open_new)  # noqa: SIM115
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_there_is_neither_emptied_nor_made_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    create_file(tmp_path / "file")
    make_folder(tmp_path)
    assert (tmp_path / "file").read_text() == "content"
    close_file(tmp_path / "missing")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


@needs_root
def test_a_copy_that_root_made_is_named_with_its_owner_and_what_to_do(of_somebody: Path) -> None:
    assert ims(of_somebody, "migrate", user=SOMEBODY).returncode == 0
    for name in ("ims.db", "ims.db-wal", "ims.read.db", "ims.db.lock"):
        path = of_somebody / "data" / name
        path.touch()  # SQLite removes its log when nobody has the file open
        os.chown(path, 0, 0)
        path.chmod(0o644)
        refused = ims(of_somebody, "migrate", user=SOMEBODY)
        assert refused.returncode == 1
        (line,) = [line for line in refused.stderr.splitlines() if not line.startswith("{")]
        for said in (f"{path} belongs to root (uid 0)", f"(uid {SOMEBODY})", f"chown {SOMEBODY} {path}"):
            assert said in line
        os.chown(path, SOMEBODY, SOMEBODY)
    assert ims(of_somebody, "migrate", user=SOMEBODY).returncode == 0


@needs_root
def test_commands_that_only_read_name_the_owner_too(of_somebody: Path) -> None:
    assert ims(of_somebody, "migrate").returncode == 0  # by root: the files are root's
    for arguments in (("backup", str(of_somebody / "copy")), ("audit", "export", str(of_somebody / "out"))):
        refused = ims(of_somebody, *arguments, user=SOMEBODY)
        assert refused.returncode in (1, 2)
        assert "db belongs to root (uid 0)" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert not (of_somebody / "out").exists()


@needs_root
def test_a_key_of_another_user_is_used_where_that_user_lets_us_and_else_named(of_somebody: Path) -> None:
    key, order = of_somebody / "data" / "signing-key.json", ("token", "--tenant", "acme", "--user", "alice")
    ensure_local_key(of_somebody / "data")
    os.chown(key, 0, SOMEBODY)
    key.chmod(0o440)  # as a volume of secrets has it
    read = ims(of_somebody, *order, user=SOMEBODY)
    assert (read.returncode, "can be read by others" in read.stderr) == (0, True)
    key.chmod(0o400)
    refused = ims(of_somebody, *order, user=SOMEBODY)
    assert refused.returncode == 1
    assert f"{key} belongs to root (uid 0)" in refused.stderr
