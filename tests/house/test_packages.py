"""What tests need of the machine stands in one list, which CI installs."""

import re
import shlex
import subprocess
from pathlib import Path

from tests.servers.programs import LIST, packages

TESTS = Path(__file__).parents[1]
OTHER_NAMES = {"chromium-browser", "google-chrome"}
FROM_THE_LOCK = {"redis-server", "redis-cli"}
ASKED = re.compile(r'\b(?:which|found|needs)\(((?:"[^"]+"(?:, )?)+)\)')


def test_every_program_that_a_test_looks_for_is_in_the_list() -> None:
    asked = {
        name
        for file in TESTS.rglob("*.py")
        for names in ASKED.findall(file.read_text())
        for name in re.findall(r'"([^"]+)"', names)
    }
    assert asked >= {"chromium", "haproxy", "promtool", "node"}, "this test finds nothing any more"
    assert asked - packages().keys() - OTHER_NAMES - FROM_THE_LOCK == set()


def test_what_is_missing_is_found_by_the_installer_as_by_the_tests(tmp_path: Path) -> None:
    """As somebody who may install nothing, and with no program on the PATH but those that it uses itself."""
    own = "bash id paste dirname mktemp chmod rm tail apt-get cat"
    script = f"""
        mkdir {tmp_path}/bin; for tool in {own}; do ln -s "$(command -v "$tool")" {tmp_path}/bin/; done
        ln -s /bin/false {tmp_path}/bin/haproxy
        printf '#!/bin/sh\necho 1000\n' > {tmp_path}/id; chmod +x {tmp_path}/id; mv {tmp_path}/id {tmp_path}/bin/id
        PATH={tmp_path}/bin exec bash {shlex.quote(str(LIST.with_name("install")))}
    """
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True, timeout=30)
    (line,) = done.stdout.splitlines()
    expected = {package for program, package in packages().items() if program != "haproxy" and program[0] != "/"}
    assert expected <= set(line.split(": ")[1].split(". ")[0].split())
    assert "haproxy" not in line
    assert line.endswith("Only root can install them.")
