"""The unit for systemd starts what is there, with settings that there are, and leaves it the time that it needs."""

import configparser
import re
import subprocess
import sys
from glob import glob
from pathlib import Path

import pytest

from service.app import DRAIN_SECONDS, RELEASE_SECONDS
from service.settings import Settings
from tests.deploy.sandbox import LIBRARY, allowed
from tests.faults.load import authorization, client
from tests.servers.process import ServiceProcess
from tests.servers.programs import needs

NEWER, KNOWN_FROM = ("RestartSteps=", "RestartMaxDelaySec="), 254
"""What systemd knows from that version on; an older one leaves it aside, with a warning."""
MOST_EXPOSURE = 2.5
ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "ims.service"
INSTALLED = "/opt/ims"


def section(name: str) -> configparser.SectionProxy:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    return unit[name]


def test_it_is_a_unit_for_this_project() -> None:
    service = section("Service")
    assert service["ExecStart"] == f"{INSTALLED}/.venv/bin/python -m service serve"
    assert service["ExecStartPre"] == f"{INSTALLED}/.venv/bin/python -m service migrate"
    assert service["TimeoutStartSec"] == "infinity", "it takes as long as the log is"
    assert service["WorkingDirectory"] == INSTALLED
    assert service["Environment"] == f"IMS_DATA_DIR=/var/lib/{service['StateDirectory']}"
    variables = {f"IMS_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bIMS_[A-Z_]+", UNIT.read_text())) <= variables
    limits = [Settings.model_fields[name].default for name in ("drain_time", "shutdown_timeout")]
    assert float(service["TimeoutStopSec"]) > sum(limits) + DRAIN_SECONDS + RELEASE_SECONDS


@needs("systemd-analyze")
def test_systemd_has_nothing_against_it(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    told = subprocess.run(["systemd-analyze", "--version"], check=True, capture_output=True, text=True).stdout
    lines = UNIT.read_text().replace(INSTALLED, str(ROOT)).splitlines()
    if int(told.split()[1]) < KNOWN_FROM:
        lines = [line for line in lines if not line.startswith(NEWER)]
    here.write_text("\n".join(lines))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", here],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


@needs("systemd-analyze")
def test_it_is_exposed_to_little() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", UNIT],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    (exposure,) = re.findall(r"Overall exposure level for ims\.service: ([\d.]+)", done.stdout)
    assert float(exposure) <= MOST_EXPOSURE, done.stdout


def test_it_never_gives_up_and_tries_later_and_later() -> None:
    assert section("Unit")["StartLimitIntervalSec"] == "0"
    service = section("Service")
    assert service["Restart"] == "on-failure"
    assert float(service["RestartSec"]) < float(service["RestartMaxDelaySec"]) <= 60
    assert int(service["RestartSteps"]) > 0


def test_what_it_writes_is_its_own() -> None:
    service = section("Service")
    assert (service["UMask"], service["StateDirectoryMode"], service["DynamicUser"]) == ("0077", "0700", "yes")


@needs("systemd-analyze")
@pytest.mark.skipif(not glob(LIBRARY), reason=f"needs {LIBRARY}")  # noqa: PTH207 - an absolute pattern
async def test_the_service_works_within_the_limits_of_the_unit(tmp_path: Path) -> None:
    """The filter of system calls is the unit's own, set as systemd sets it."""
    filters = [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith("SystemCallFilter=")]
    (tmp_path / "filter").write_text("\n".join(sorted(allowed(filters))))
    confined = ("tests.deploy.sandbox", str(tmp_path / "filter"), sys.executable)
    service = ServiceProcess(tmp_path, program=(*confined, "-m", "service"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *confined, *arguments],
            check=False, capture_output=True, text=True, env=service.environment, cwd=tmp_path,
        )  # fmt: skip

    with service:
        async with client(service.url, authorization(service)) as one:
            await one.report()
        assert run("-m", "service", "backup", str(tmp_path / "backup")).stdout == "1 events\n"
        assert service.terminate() == 0
    (tmp_path / "data" / "ims.read.db").unlink()
    assert "is built" in run("-m", "service", "migrate").stdout, "as the unit does before each start"
    for escape in ("import os; os.chroot('/')", "import os; os.nice(-5)"):
        assert "PermissionError: [Errno 1]" in run("-c", escape).stderr, "for root, too"
