"""A PgBouncer in front of a PostgreSQL, as people set it up; its mode can be changed while it runs."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

from tests.servers.children import Owner, Server, free_port, spawn, wait_until
from tests.servers.programs import found

PROGRAM = "pgbouncer"
START_SECONDS = 20
UNPRIVILEGED = "nobody"

Mode = Literal["session", "transaction", "statement"]


class PgBouncer(Server):
    """`options`: lines of `pgbouncer.ini`."""

    def __init__(self, upstream: int, mode: Mode = "session", **options: str) -> None:
        self._upstream, self._mode, self._options = upstream, mode, options
        self._folder = Path(tempfile.mkdtemp(prefix="ims-pgbouncer-"))
        self._folder.chmod(0o755)
        self.log = self._folder / "log"
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    def database(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def start(self) -> Self:
        self._write()
        self._server = spawn(
            [found(PROGRAM) or PROGRAM, self._folder / "pgbouncer.ini"],
            log=self.log, owner=_owner(), at_parents_death=signal.SIGKILL,
        )  # fmt: skip
        wait_until(self._ready, self._server, log=self.log, seconds=START_SECONDS)
        return self

    def switch(self, mode: Mode) -> None:
        """New transactions are given to servers in that way; returns when the pooler has read it."""
        assert self._server is not None, "not started"
        self._mode = mode
        self._write()
        read = self.log.read_text().count("got SIGHUP")
        self._server.send_signal(signal.SIGHUP)
        wait_until(
            lambda: self.log.read_text().count("got SIGHUP") > read, self._server, log=self.log, seconds=START_SECONDS
        )

    def remove(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self) -> None:
        users = self._folder / "users.txt"
        users.write_text('"postgres" ""\n')
        options = {
            "listen_addr": "127.0.0.1", "listen_port": str(self.port), "unix_socket_dir": "", "auth_type": "any",
            "pool_mode": self._mode, "max_client_conn": "500", "default_pool_size": "40", **self._options,
        }  # fmt: skip
        lines = [f"{name} = {value}" for name, value in options.items()]
        server = f"* = host=127.0.0.1 port={self._upstream} user=postgres"
        (self._folder / "pgbouncer.ini").write_text("\n".join(["[databases]", server, "[pgbouncer]", *lines, ""]))

    def _ready(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


def _owner() -> Owner | None:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam(UNPRIVILEGED)
    return Owner(user.pw_uid, user.pw_gid)
