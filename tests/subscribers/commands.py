"""`ims events …` as people run it: a process of its own, whose output is looked at while it runs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.servers.children import spawn, tail
from tests.servers.process import ServiceProcess
from tests.subscribers.published import until

_numbers = count(1)


class Running:
    """A command with the environment of a service, in its folder."""

    def __init__(self, service: ServiceProcess, *arguments: str) -> None:
        number = next(_numbers)
        self.output, self.log = (service.folder / f"command-{number}.{end}" for end in ("out", "log"))
        self.process: subprocess.Popen[bytes] = spawn(
            [sys.executable, "-m", "service", *arguments],
            log=self.log, output=self.output, environment=service.environment, folder=service.folder,
        )  # fmt: skip

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def lines(self) -> list[str]:
        """Those that are whole."""
        return self.text.split("\n")[:-1]

    @property
    def events(self) -> list[Any]:
        return [json.loads(line) for line in self.lines]

    @property
    def positions(self) -> list[int]:
        return [int(event["id"]) for event in self.events]

    @property
    def wrong(self) -> str:
        return tail(self.log)

    async def prints(self, positions: list[int]) -> None:
        await until(lambda: self.positions == positions)

    async def exit_code(self) -> int:
        await until(lambda: self.process.poll() is not None)
        return int(self.process.returncode)

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def running(service: ServiceProcess, *arguments: str) -> Iterator[Running]:
    command = Running(service, *arguments)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.kill()


def written(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []
