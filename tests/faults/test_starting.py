"""What keeps the service from starting is said in a line, without a traceback."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Ground
from tests.servers.children import free_port
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

START_SECONDS = 15


def refused(folder: Path, *arguments: str, code: int = 1, **settings: str) -> str:
    """What it says on stderr when it ends at once; a free port unless the settings have one."""
    environment = ServiceProcess(folder, settings).environment
    done = subprocess.run(
        [sys.executable, "-m", "service", *(arguments or ["serve"])],
        check=False, capture_output=True, text=True, env=environment, cwd=folder, timeout=START_SECONDS,
    )  # fmt: skip
    assert done.returncode == code, done
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("setting", "value"), [("port", "many"), ("write_timeout", "-1"), ("run", "api,cook"), ("attributes", "count")]
)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, setting: str, value: str) -> None:
    settings: dict[str, Any] = {setting: value}
    assert f"IMS_{setting.upper()}" in refused(tmp_path, **settings)


def test_a_second_service_on_the_same_sqlite_is_refused(on_sqlite: Ground, tmp_path: Path) -> None:
    service = on_sqlite.start()
    assert "in use by a running service" in refused(tmp_path)
    service.kill()
    service.start()  # the lock ended with its holder
    assert service.terminate() == 0


def test_a_postgres_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    said = refused(tmp_path, database_url=f"postgresql://postgres@127.0.0.1:{free_port()}/ims")
    assert "Connection refused" in said or "Connect call failed" in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://postgres@127.0.0.1:{port}/nowhere", '"nowhere" does not exist'),
        ("postgresql://nobody_here@127.0.0.1:{port}/postgres", '"nobody_here" does not exist'),
        ("postgresql://postgres@127.0.0.1:p{port}/postgres", "IMS_DATABASE_URL: "),
    ],
)
def test_a_database_that_cannot_be_used_is_said_to_be(postgres: Postgres, tmp_path: Path, url: str, said: str) -> None:
    assert said in refused(tmp_path, database_url=url.format(port=postgres.port))


def test_a_database_that_may_not_be_written_is_said_to_be(
    postgres: Postgres, empty_postgres_dsn: str, tmp_path: Path
) -> None:
    name = empty_postgres_dsn.rpartition("/")[2]
    postgres.sql(f"CREATE ROLE reader_{name} LOGIN")
    try:
        said = refused(tmp_path, code=2, database_url=f"postgresql://reader_{name}@127.0.0.1:{postgres.port}/{name}")
    finally:
        postgres.sql(f"DROP ROLE reader_{name}")
    assert "permission denied" in said


def test_a_folder_that_cannot_be_made_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refused(tmp_path, data_dir=str(tmp_path / "file" / "data"))


def test_a_file_that_is_no_database_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ims.db").write_bytes(b"not a database at all " * 100)
    said = refused(tmp_path)
    assert "file is not a database" in said
    assert "ims.db" in said


def test_a_database_of_a_newer_release_is_left_alone(
    postgres: Postgres, postgres_dsn: str, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    assert start_service(database_url=postgres_dsn).terminate() == 0
    postgres.sql("INSERT INTO ims.schema_version VALUES (99)", postgres_dsn.rpartition("/")[2])
    assert "schema version 99" in refused(tmp_path, database_url=postgres_dsn)


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "address already in use" in refused(tmp_path, port=str(taken.getsockname()[1]))
