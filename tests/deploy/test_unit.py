"""The unit for systemd starts what is there, with settings that there are, and leaves it the time that it needs."""

import configparser
import re
import subprocess
from pathlib import Path

from service.app import DRAIN_SECONDS
from service.settings import Settings
from tests.servers.programs import needs

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "ims.service"
INSTALLED = "/opt/ims"


def test_it_is_a_unit_for_this_project() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["ExecStart"] == f"{INSTALLED}/.venv/bin/python -m service serve"
    assert service["ExecStartPre"] == f"{INSTALLED}/.venv/bin/python -m service migrate"
    assert service["TimeoutStartSec"] == "infinity", "it takes as long as the log is"
    assert service["WorkingDirectory"] == INSTALLED
    assert service["Environment"] == f"IMS_DATA_DIR=/var/lib/{service['StateDirectory']}"
    variables = {f"IMS_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bIMS_[A-Z_]+", UNIT.read_text())) <= variables
    assert float(service["TimeoutStopSec"]) > Settings.model_fields["shutdown_timeout"].default + DRAIN_SECONDS


@needs("systemd-analyze")
def test_systemd_has_nothing_against_it(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace(INSTALLED, str(ROOT)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", here],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, complaints) == (0, []), done.stderr
