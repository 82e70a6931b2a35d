"""What the commands are not asked for: each ends with a word on stderr and exit code 2."""

import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from service import cli
from service.settings import InvalidSettings, load_settings
from tests.domain.examples import INCIDENT_ID

HUGE = "9" * 20
INTERRUPTED_WHILE_LOADING = """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
class Interrupt:
    def find_spec(self, name, *_):
        if name == "service.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
runpy.run_module("service", run_name="__main__")
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", str(INCIDENT_ID), "--version", HUGE),
        ("diff", str(INCIDENT_ID), "--from", HUGE, "--to", "1"),
        ("diff", str(INCIDENT_ID), "--from", "1", "--to", HUGE),
        ("replay", "--from", HUGE),
        ("replay", "--to", HUGE),
        ("replay", "--from", "3", "--to", "2"),
        ("replay", "--into", ""),
    ],
    ids=" ".join,
)
def test_a_number_or_a_range_that_cannot_be_is_refused(arguments: tuple[str, ...]) -> None:
    found = CliRunner().invoke(cli.cli, ["audit", *arguments])
    assert found.exit_code == 2
    assert "--" in found.stderr


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:////", "sqlite:///."])
def test_an_embedded_database_without_a_name_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match=r"IMS_DATABASE_URL: .*name a file"):
        load_settings(database_url=url)


def test_who_interrupts_a_command_gets_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "cli", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


def test_who_interrupts_a_command_that_is_still_loading_gets_no_traceback() -> None:
    loading = [sys.executable, "-c", INTERRUPTED_WHILE_LOADING]
    found = subprocess.run(loading, capture_output=True, timeout=30, check=False, env=os.environ)
    assert (found.returncode, found.stderr) == (-signal.SIGINT, b"")
