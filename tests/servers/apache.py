"""Apache as a proxy that compresses answers, as people put it before a service; where the machine has one."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

from tests.servers.children import NotStarted, Server, free_port, spawn, wait_until

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
BINARY: Final = shutil.which("apache2", path=_PATH) or shutil.which("httpd", path=_PATH)
MODULES: Final = next(
    (folder for folder in map(Path, ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules")) if folder.is_dir()), None
)
MISSING: Final = BINARY is None or MODULES is None

START_SECONDS = 20
START_ATTEMPTS = 5
_LOADED = ("mpm_event", "authz_core", "unixd", "filter", "deflate", "brotli", "proxy", "proxy_http")


class Apache(Server):
    """Before the service at `url`. `compression`: DEFLATE or BROTLI_COMPRESS, for answers in JSON."""

    def __init__(self, url: str, compression: str = "DEFLATE") -> None:
        self._target, self._compression = url.rstrip("/"), compression
        self._folder = Path(tempfile.mkdtemp(prefix="ims-apache-"))
        self.log = self._folder / "log"
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        for attempt in range(START_ATTEMPTS):
            (self._folder / "httpd.conf").write_text(self._configuration())
            arguments = [str(BINARY), "-D", "FOREGROUND", "-d", str(self._folder), "-f", f"{self._folder}/httpd.conf"]
            self._server = spawn(arguments, log=self.log)
            try:
                wait_until(self._ready, self._server, log=self.log, seconds=START_SECONDS)
            except NotStarted:
                if attempt == START_ATTEMPTS - 1:
                    raise
                self.port = free_port()  # somebody may have taken it since it was picked
            else:
                return self
        raise AssertionError("unreachable")

    def remove(self) -> None:
        if self._server is not None and self._server.poll() is None:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configuration(self) -> str:
        assert MODULES is not None, "there is no Apache here"
        lines = [
            f"LoadModule {name}_module {file}" for name in _LOADED if (file := MODULES / f"mod_{name}.so").exists()
        ]
        lines += [
            f"Listen 127.0.0.1:{self.port}", "ServerName localhost", f"PidFile {self._folder}/pid",
            f"DefaultRuntimeDir {self._folder}", f"ErrorLog {self.log}", "User nobody", "Group #65534",
            "StartServers 1", "MinSpareThreads 1", "ThreadsPerChild 25", "MaxRequestWorkers 25", "Timeout 60",
            f'ProxyPass "/" "{self._target}/"', f"AddOutputFilterByType {self._compression} application/json",
        ]  # fmt: skip
        return "\n".join([*lines, ""])

    def _ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
