"""Builds the image without a container engine: buildah in a chroot, on a base of the machine's own distribution."""

import json
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WAYS_TO_PACKAGES = ("/etc/pip.conf", "/etc/xdg/pip", "/root/.config/pip", "/root/.pip", "/etc/ssl/certs")
"""How the machine gets its packages is how the image's build gets them."""


class Builder:
    """Keeps its images in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._command = [
            "buildah", "--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs",
        ]  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        return [*self._command, *arguments]

    def do(self, *arguments: str) -> str:
        return _done(self.command(*arguments))

    def base(self) -> str:
        """An image with Python, pip and venv, as the slim ones have them."""
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        tar = self._folder / "base.tar"
        packages = "ca-certificates,python3-pip,python3-venv"
        _done(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", release, str(tar)])
        container = self.do("from", "scratch")
        self.do("add", "--quiet", container, str(tar), "/")
        self.do("commit", "--quiet", "--format", "docker", container, "base")
        tar.unlink()
        return "localhost/base"

    def build(self, base: str, **arguments: str) -> str:
        ways = [word for way in WAYS_TO_PACKAGES if Path(way).exists() for word in ("--volume", f"{way}:{way}:ro")]
        given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        self.do(
            "bud", "--isolation", "chroot", "--format", "docker", "--network", "host", *ways, *given,
            "--build-arg", f"BASE={base}", "--tag", "ims", "--file", str(ROOT / "deploy" / "Dockerfile"), str(ROOT),
        )  # fmt: skip
        return "localhost/ims"

    def config(self, image: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.do("inspect", "--type", "image", image))["Docker"]["config"]
        return found

    def megabytes(self, image: str) -> float:
        folder = Path(self.do("mount", self.do("from", image)))
        return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 1e6


def _done(command: Sequence[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return done.stdout.strip()
