"""One release: the project, the command, the image, the manifests and the chart name the same."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from service.release import RELEASE

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def test_the_command_says_which_release_it_is() -> None:
    done = subprocess.run([sys.executable, "-m", "service", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout == f"ims {RELEASE}\n"


def test_everything_that_is_rolled_out_is_of_this_release() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == RELEASE
    assert re.findall(r'image.version="([^"]+)"', (DEPLOY / "Dockerfile").read_text()) == [RELEASE]
    chart = yaml.safe_load((DEPLOY / "helm" / "ims" / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (RELEASE, RELEASE)
    for path in (DEPLOY / "kubernetes").rglob("*.yaml"):
        assert set(re.findall(r"(?:newTag: |image: ims:)([\w.]+)", path.read_text())) <= {RELEASE}, path
    assert set(re.findall(r"image: ims:([\w.]+)", (DEPLOY / "compose.yaml").read_text())) == {RELEASE}


def test_what_fetches_packages_knows_their_hashes() -> None:
    """Of pip and uv alike; what is installed from the clone itself has none."""
    for path in (ROOT / "Makefile", DEPLOY / "Dockerfile"):
        text = path.read_text().replace("\\\n", " ")
        commands = re.findall(r"(?:pip|\$\(UV\) pip)(?: --python \S+)? (?:install|sync) [^\n]*", text)
        assert commands, path
        assert [each for each in commands if "--require-hashes" not in each and "--editable ." not in each] == []
    for lock in (ROOT / "requirements-uv.lock", ROOT / "tests" / "deploy" / "helm.lock"):
        assert re.fullmatch(r"[\w.-]+==[\w.]+ \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", lock.read_text())


def test_a_path_that_a_shipped_file_names_exists() -> None:
    for path in (*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.cfg"), *DEPLOY.rglob("*.service"), DEPLOY / "Dockerfile"):
        named = re.findall(r"\b(?:deploy|tests)/[\w./-]+\w", path.read_text())
        assert [each for each in named if not (ROOT / each).exists()] == [], path
