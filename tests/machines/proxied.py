"""HAProxy as `deploy/haproxy.cfg` has it, before processes of a test."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientError, ClientSession

from tests.servers.children import free_port, spawn
from tests.servers.process import ServiceProcess

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
END_SECONDS = 10


@dataclass(frozen=True)
class Proxy:
    url: str
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def logs(self) -> str:
        return self.log.read_text()

    def served(self, path: str) -> list[str]:
        """Which process took each request for this path, in order."""
        lines = [line[line.index("{") :] for line in self.logs.splitlines() if '{"status"' in line]
        requests = [json.loads(line) for line in lines]
        return [request["server"] for request in requests if request["path"] == path]

    def came_back(self, number: int) -> int:
        """How often it has found that the process of this number is there again."""
        return self.logs.count(f"Server processes/process{number} is UP")

    def left(self, number: int) -> int:
        """How often it has found that the process of this number is not there any more."""
        return self.logs.count(f"Server processes/process{number} is DOWN")

    async def ready(self) -> bool:
        async with ClientSession() as session:
            try:
                async with session.get(f"{self.url}/readyz") as answer:
                    return answer.status == 200
            except ClientError:
                return False


@contextmanager
def haproxy(folder: Path, processes: Sequence[ServiceProcess]) -> Iterator[Proxy]:
    """One that runs as configured, but for where the processes are: there is no name server here."""
    port, log = free_port(), folder / "haproxy.log"
    servers = "\n".join(
        f"    server process{number} {process.url.removeprefix('http://')}" for number, process in enumerate(processes)
    )
    text = CONFIGURATION.read_text().replace("bind :8080", f"bind 127.0.0.1:{port}")
    text = re.sub(r"\nresolvers .*?\n\n", "\n", text, flags=re.DOTALL)
    text = text.replace(" resolvers docker init-addr libc,none", "")
    text = re.sub(r"    server-template .*", servers, text)
    (folder / "haproxy.cfg").write_text(text)
    child = spawn(["haproxy", "-db", "-f", folder / "haproxy.cfg"], log=log)
    try:
        yield Proxy(f"http://127.0.0.1:{port}", log)
    finally:
        child.terminate()
        child.wait(END_SECONDS)
