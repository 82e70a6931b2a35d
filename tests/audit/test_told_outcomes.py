"""What export, import and replay did is told to people on stderr, to programs as JSON."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import cli
from service.settings import Settings
from tests.audit import stores
from tests.projections.histories import long_history

EVENTS = 12


def ims(store: Settings, *arguments: str) -> Result:
    environment = {"IMS_DATA_DIR": str(store.data_dir), "IMS_DATABASE_URL": store.database_url}
    return CliRunner().invoke(cli, ["audit", *arguments], env=environment, catch_exceptions=False)


@pytest.fixture
async def filled(on_sqlite: Settings) -> Settings:
    await stores.fill(on_sqlite, long_history(EVENTS))
    return on_sqlite


def test_an_export_and_its_import_tell_programs_the_same(filled: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    file = str(tmp_path / "export")
    exported = ims(filled, "export", file, "--json")
    told = json.loads(exported.stdout)
    assert told["events"] == EVENTS
    assert len(told["root"]) == 64
    assert exported.stderr == ""
    assert json.loads(ims(elsewhere, "import", file, "--json").stdout) == told


def test_people_are_told_on_stderr(filled: Settings, tmp_path: Path) -> None:
    exported = ims(filled, "export", str(tmp_path / "export"))
    assert exported.stdout == ""
    assert exported.stderr.startswith(f"{EVENTS} events of the log ")


def test_where_the_export_goes_to_stdout_all_that_is_told_goes_to_stderr(filled: Settings, tmp_path: Path) -> None:
    exported = ims(filled, "export", "-", "--json")
    assert len(exported.stdout.splitlines()) == EVENTS + 2
    assert json.loads(exported.stderr)["events"] == EVENTS


def test_a_replay_into_another_database_tells_which_log_it_is_there(filled: Settings, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/there.db"
    told = json.loads(ims(filled, "replay", "--to", "5", "--into", url, "--json").stdout)
    assert told["events"] == 5
    assert told["root"] is None
