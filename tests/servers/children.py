"""Child processes that cannot outlive the tests: the kernel ends them when the process that started them dies."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import psutil

PR_SET_PDEATHSIG = 1
LOG_TAIL = 4000  # characters

_libc = ctypes.CDLL(None)


class NotStarted(Exception):
    """A server ended or stayed silent while it was being started; the text ends with its log."""


@dataclass(frozen=True)
class Owner:
    """The system user that a server runs as, where it refuses to run as root."""

    uid: int
    gid: int


class Child(Protocol):
    """What is used of `subprocess.Popen`."""

    pid: int
    returncode: int | Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Server:
    """It runs within a `with`; where it does not start, nothing of it is left either."""

    def start(self) -> Self:
        """Returns when it can be used. Raises NotStarted."""
        raise NotImplementedError

    def remove(self) -> None:
        """Stop and delete the data."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_: object) -> None:
        self.remove()


def free_port() -> int:
    """A TCP port that nobody listens on now; whoever takes it must check that it was not taken meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    output: Path | None = None,
    at_parents_death: signal.Signals = signal.SIGTERM,
    owner: Owner | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path = Path("/"),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; `log` takes its stderr, and its stdout too unless `output` is given.

    The kernel watches the *thread* that calls this: call it from one that lives as long as the server should.
    """

    with log.open("ab") as errors, (output or log).open("ab") as answers:
        return subprocess.Popen(
            [os.fspath(argument) for argument in arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=answers,
            stderr=errors,
            start_new_session=True,
            preexec_fn=partial(tie_to_parent, at_parents_death),  # noqa: PLW1509 - only prctl runs there, and it must run after the user is changed
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
        )


def tie_to_parent(at_parents_death: signal.Signals) -> None:
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, at_parents_death)


def wait_until(ready: Callable[[], bool], child: Child, *, log: Path, seconds: float) -> None:
    """Return when `ready` says so; raises NotStarted when the child ends before, or the time is over."""
    end = time.monotonic() + seconds
    while not ready():
        if child.poll() is not None:
            raise NotStarted(f"exit code {child.returncode}\n{tail(log)}")
        if time.monotonic() > end:
            child.kill()
            child.wait()
            raise NotStarted(f"not ready after {seconds} s\n{tail(log)}")
        time.sleep(0.005)


def is_gone(process: psutil.Process) -> bool:
    """True for a zombie too: an orphan may wait long until it is collected, but it holds nothing any more."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-LOG_TAIL:] if log.exists() else ""
