"""The four servers, each started in a process of its own with a database of its own on one PostgreSQL."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench import signing
from tests.bench.answers import Answer
from tests.servers.children import spawn, wait_until
from tests.servers.postgres import Postgres

DATABASES = ("service", "fastapi", "library")
ROOT = Path(__file__).parents[2]
START_SECONDS = 30
STOP_SECONDS = 15
LISTENING = re.compile(r"listening on http://[\w.]+:(\d+)")
# As an operator would set it up for throughput: durable, and a cache that holds the working set.
POSTGRES: dict[str, str | int] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
}


@dataclass(frozen=True)
class Server:
    """`start_seconds`: from the process's birth to the first 200 on `/livez`, where it was asked for."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    token: str
    start_seconds: float = 0.0

    @property
    def resident(self) -> int:
        """Bytes of memory, children included."""
        process = psutil.Process(self.process.pid)
        return sum(int(one.memory_info().rss) for one in (process, *process.children(recursive=True)))


class Competitors:
    """Starts each server; `folder` takes their logs, keys and data."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self._postgres = postgres
        self._folder = folder
        self._key = signing.new_key()
        self._key_file = folder / "key.json"
        self._key_file.write_text(json.dumps(self._key.as_dict(private=False)))

    @contextmanager
    def service(self) -> Iterator[Server]:
        """This project's service, all roles in one process. Started twice: the first start makes the tables."""
        settings = {
            "IMS_DATABASE_URL": self._postgres.create_database("service"),
            "IMS_DATA_DIR": str(self._folder / "ims"),
            "IMS_PORT": "0",
            "IMS_RATE_LIMIT": "off",
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("IMS_")} | settings
        command = ["service", "serve"]
        with self._started("service", command, environment, alive="/livez"):
            minted = subprocess.run(
                [sys.executable, "-m", "service", "token", "--tenant", "bench", "--user", "bench"],
                check=True, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        with self._started("service", command, environment, minted.stdout.strip(), alive="/livez") as server:
            yield server

    @contextmanager
    def bare(self, answers: dict[str, Answer]) -> Iterator[Server]:
        """The handler that gives the service's answers back and stores nothing."""
        file = self._folder / "answers.json"
        file.write_text(json.dumps({kind: answer.as_dict() for kind, answer in answers.items()}))
        with self._started("bare", ["tests.bench.bare", str(file)]) as server:
            yield server

    @contextmanager
    def fastapi(self) -> Iterator[Server]:
        with self._with_database("fastapi", "tests.bench.fastapi_table") as server:
            yield server

    @contextmanager
    def library(self) -> Iterator[Server]:
        with self._with_database("library", "tests.bench.library_threads") as server:
            yield server

    @contextmanager
    def _with_database(self, name: str, module: str) -> Iterator[Server]:
        command = [module, self._postgres.create_database(name), str(self._key_file)]
        with self._started(name, command, token=signing.token(self._key)) as server:
            yield server

    @contextmanager
    def _started(
        self, name: str, command: list[str], environment: dict[str, str] | None = None, token: str = "none",
        alive: str = "",
    ) -> Iterator[Server]:  # fmt: skip
        log, output = self._folder / f"{name}.log", self._folder / f"{name}.out"
        output.unlink(missing_ok=True)
        began = time.perf_counter()
        process = spawn(
            [sys.executable, "-m", *command],
            log=log,
            output=output,
            environment=environment or dict(os.environ),
            folder=ROOT,
        )
        try:
            port = _announced_port(output)
            wait_until(lambda: port() != 0, process, log=log, seconds=START_SECONDS)
            if alive:
                wait_until(lambda: _is_alive(port(), alive), process, log=log, seconds=START_SECONDS)
            yield Server(name, process, port(), token, time.perf_counter() - began)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _announced_port(output: Path) -> Callable[[], int]:
    def port() -> int:
        found = LISTENING.search(output.read_text())
        return int(found[1]) if found else 0

    return port


def _is_alive(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
