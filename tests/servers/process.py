"""The service as its users run it: a real process, told what to do by its environment alone."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Self

from service.auth.minting import mint
from service.settings import Settings
from tests.servers.children import Child, spawn, tail, wait_until
from tests.servers.forked import can_be_forked, forking

ROOT = Path(__file__).parents[2]
LISTENING = re.compile(r"^listening on (http://\S+)$", re.MULTILINE)
START_SECONDS = 20
EXIT_SECONDS = 15
COMMAND_SECONDS = 90

_numbers = count(1)


class ServiceProcess:
    """`python -m service serve` on a port that the kernel picks.

    Settings are given without their prefix, in any case: `{"database_url": dsn, "run": "api"}`. `IMS_` variables of
    the tests themselves are not passed on. Processes that share a folder share the local signing key in it.
    `program`: the module that is run, and its first arguments.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str] | None = None, program: Sequence[str] = ("service",)
    ) -> None:
        number = next(_numbers)
        self._program = program
        self.folder = folder
        self.log = folder / f"service-{number}.log"
        self._output = folder / f"service-{number}.out"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("IMS_")}
        self.environment |= {"PYTHONPATH": str(ROOT), "IMS_HOST": "127.0.0.1", "IMS_PORT": "0"}
        self.environment |= {"IMS_DRAIN_TIME": "0"}  # no proxy is told, but where a test has one
        self.environment |= {"IMS_DATA_DIR": str(folder / "data")}
        self.environment |= {f"IMS_{name.upper()}": value for name, value in (settings or {}).items()}
        self._process: Child | None = None
        self._tokens: dict[tuple[str | None, ...], str] = {}
        self.url = ""

    def start(self, seconds: float = START_SECONDS) -> Self:
        """Returns when the service says that it listens; a start after `kill` or `terminate` takes the same port."""
        self._output.unlink(missing_ok=True)
        self._process = self._started()
        wait_until(lambda: self._announced() is not None, self._process, log=self.log, seconds=seconds)
        self.url = self._announced() or ""
        self.environment["IMS_PORT"] = self.url.rpartition(":")[2]
        return self

    def _started(self) -> Child:
        """Forked from a Python that has loaded the service, where nothing else than the service would see that."""
        if self._program == ("service",) and can_be_forked(self.environment):
            return forking().start(["serve"], self.environment, self.folder, self._output, self.log)
        return spawn(
            [sys.executable, "-m", *self._program, "serve"],
            log=self.log,
            output=self._output,
            environment=self.environment,
            folder=self.folder,
            at_parents_death=signal.SIGKILL,
        )

    @property
    def running(self) -> Child:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        return self.running.pid

    @property
    def logs(self) -> str:
        """What the service wrote on stderr, all starts together."""
        return self.log.read_text(errors="replace")

    @property
    def last_logs(self) -> str:
        return tail(self.log)

    def terminate(self, seconds: float = EXIT_SECONDS) -> int:
        """SIGTERM; returns the exit code."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(seconds)

    def kill(self) -> None:
        self.running.kill()
        self.running.wait()

    def pause(self) -> None:
        self.running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.running.send_signal(signal.SIGCONT)

    def token(
        self, tenant: str = "acme", user: str = "alice", name: str | None = None, roles: Sequence[str] = ()
    ) -> str:
        """As `ims token` would print it, without the half second that a process takes to start; the same one for the
        same arguments."""
        wanted = (tenant, user, name, *roles)
        if wanted not in self._tokens:
            settings = Settings(data_dir=Path(self.environment["IMS_DATA_DIR"]))
            self._tokens[wanted] = mint(settings, tenant, user, name, roles)
        return self._tokens[wanted]

    def authorization(self, *, tenant: str = "acme", user: str = "alice", roles: Sequence[str] = ()) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(tenant, user, roles=roles)}"}

    def command(self, *arguments: str) -> str:
        """Run `ims …` in the same environment; returns its stdout, raises RuntimeError with its stderr if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
            timeout=COMMAND_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def end(self) -> None:
        """Make sure that it does not run any more, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end()

    def _announced(self) -> str | None:
        found = LISTENING.search(self._output.read_text(errors="replace"))
        return found[1] if found else None
