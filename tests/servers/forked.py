"""Starts processes of the service without the half second in which Python loads it anew: see `forking`."""

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from signal import SIGKILL, SIGTERM

from tests.servers.children import NotStarted, spawn, wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS = 30
MESSAGE_BYTES = 200_000
OWN = ("IMS_", "PYTHONPATH")
"""Variables that the service itself reads, or that the one that forks has from us."""

_forking: "Forking | None" = None
_one_at_a_time = threading.Lock()


class Forked:
    """A process of the service; what tests use of `subprocess.Popen`."""

    def __init__(self, client: socket.socket, arguments: Sequence[str]) -> None:
        self._client = client
        self.args = arguments
        pid = client.recv(100)
        if not pid:
            raise NotStarted("who forks processes of the service is gone")
        self.pid = int(pid)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        ended = self._ended(timeout)
        if ended is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return ended

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(SIGTERM)

    def kill(self) -> None:
        self.send_signal(SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._client.settimeout(timeout)
            try:
                said = self._client.recv(100)
            except (BlockingIOError, TimeoutError):
                return None
            self._client.close()
            self.returncode = int(said) if said else -SIGKILL  # who forked it is gone, and took it with it
        return self.returncode


class Forking:
    """The process that forks. It ends with the tests; so does what it forked."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ims-forking-"))
        path, log = self._folder / "socket", self._folder / "log"
        self._path = str(path)
        started: Future[subprocess.Popen[bytes]] = Future()
        threading.Thread(target=self._live, args=(path, log, started), daemon=True).start()
        self._process = started.result()
        wait_until(path.exists, self._process, log=log, seconds=START_SECONDS)
        atexit.register(self._end)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _live(self, path: Path, log: Path, started: "Future[subprocess.Popen[bytes]]") -> None:
        """The kernel watches the thread that starts it: this one, which stays, while others end with a test's loop."""
        command: list[str | Path] = [sys.executable, "-m", "tests.servers.forking", path]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started.set_result(spawn(command, log=log, environment=environment, at_parents_death=SIGKILL))
        started.result().wait()

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, output: Path, log: Path
    ) -> Forked:
        asked = {"arguments": arguments, "environment": dict(environment), "folder": str(folder)}
        message = json.dumps(asked).encode()
        assert len(message) < MESSAGE_BYTES
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(self._path)
        with output.open("ab") as answers, log.open("ab") as errors:
            socket.send_fds(client, [message], [answers.fileno(), errors.fileno()])
            return Forked(client, arguments)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def forking() -> Forking:
    """The one of this process of the tests."""
    global _forking  # noqa: PLW0603 - one for all, wherever a process is started from
    with _one_at_a_time:
        if _forking is None or not _forking.alive:
            _forking = Forking()
        return _forking


def can_be_forked(environment: Mapping[str, str]) -> bool:
    """Whether only the service reads what differs there from our own environment: no loader and no interpreter does."""
    return _others(environment) == _others(os.environ) and environment.get("PYTHONPATH") == str(ROOT)


def _others(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(OWN)}
