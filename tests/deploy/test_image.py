"""The image: built from the Dockerfile, looked at, and run as the user that it names."""

import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientSession

from tests.deploy.image import ROOT, Builder
from tests.http.api import PATH, incident
from tests.servers.children import spawn, wait_until
from tests.servers.programs import needs

USER = 10001
LEAST_SECONDS = 60


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "deploy/Dockerfile"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.faults
@pytest.mark.timeout(1500)
@needs("buildah", "mmdebstrap")
async def test_the_image_is_small_has_no_tools_and_serves_writing_to_its_data_alone(tmp_path: Path) -> None:
    builder = Builder(tmp_path)
    base = builder.base()
    image = builder.build(base, REVISION="0123abc", SOURCE="here")
    assert builder.megabytes(image) - builder.megabytes(base) < 120

    config = builder.config(image)
    assert config["User"] == f"{USER}:{USER}"
    assert config["Labels"] == config["Labels"] | {
        "org.opencontainers.image.title": "ims",
        "org.opencontainers.image.description": "An event-sourced incident management service",
        "org.opencontainers.image.source": "here",
        "org.opencontainers.image.revision": "0123abc",
    }
    assert "/readyz" in config["Healthcheck"]["Test"][-1]
    assert {variable.partition("=")[0] for variable in config["Env"]} == {
        "PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "IMS_HOST", "IMS_PORT", "IMS_DATA_DIR",
    }  # fmt: skip

    container = builder.do("from", image)
    root = Path(builder.do("mount", container))
    ims = root / "opt" / "ims"
    assert not [path for path in ims.rglob("*") if path.name in ("pip", "pip3", "setuptools", "gcc", ".git", ".env")]
    assert {path.name for path in (ims / "app").iterdir()} == {"domain", "projections", "service"}

    began, output, log = time.time(), tmp_path / "output", tmp_path / "log"
    run = builder.command("run", "--isolation", "chroot", "--env", "IMS_PORT=0", container, "--")
    process = spawn([*run, *config["Entrypoint"], *config["Cmd"]], log=log, output=output)
    try:
        wait_until(lambda: "for a token" in output.read_text(), process, log=log, seconds=LEAST_SECONDS)
        (port,) = re.findall(r"listening on http://0\.0\.0\.0:(\d+)", output.read_text())
        assert "eyJ" not in output.read_text()
        mint = ["/opt/ims/bin/ims", "token", "--tenant", "demo", "--user", "admin"]
        token = builder.do("run", "--isolation", "chroot", container, "--", *mint).strip()
        async with ClientSession(f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}) as client:
            async with client.post(PATH, json=incident()) as answer:
                assert answer.status == 201
            async with client.get("/docs") as answer:
                assert answer.status == 200
        health = ["run", "--isolation", "chroot", "--env", f"IMS_PORT={port}", container, "--"]
        builder.do(*health, *config["Healthcheck"]["Test"][1:])
        served = [child for child in psutil.Process(process.pid).children(recursive=True) if "serve" in child.cmdline()]
        assert {child.uids().effective for child in served if "service" in child.cmdline()} == {USER}
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            if "service" in child.cmdline():
                child.terminate()
        process.wait(LEAST_SECONDS)
    of_buildah = {root / "etc" / name for name in ("hosts", "hostname", "resolv.conf")}
    written = {path for path in root.rglob("*") if path.is_file() and path.lstat().st_mtime > began} - of_buildah
    assert [path for path in written if not path.is_relative_to(root / "data")] == []
