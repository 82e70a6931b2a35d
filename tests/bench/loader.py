"""A load generator for where there is no wrk, and the one that seeds: raw keep-alive connections on uvloop.

A process of its own: takes orders as JSON on stdin, prints a measurement and the created incidents' ids as JSON.
"""

import asyncio
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import cast

import httptools
import uvloop

from tests.bench.load import TIMEOUT
from tests.bench.traffic import Request


class Run:
    """What all connections of one load share: when to stop, what to send next, what was seen."""

    def __init__(self, orders: dict[str, object]) -> None:
        self.request = Request(**orders["request"])  # type: ignore[arg-type]
        lines = [line.split() for line in Path(str(orders["ids"])).read_text().splitlines()]
        self.ids = [line[0] if line else "" for line in lines] or [""]
        self.locks = [int(line[1]) if len(line) > 1 else 0 for line in lines] or [0]
        self.n = int(str(orders["start"]))
        self.remaining = int(str(orders["count"])) or sys.maxsize
        self.seconds = float(str(orders["seconds"])) or sys.maxsize
        self.collecting = bool(orders["count"])
        headers = {"Host": "127.0.0.1", "Authorization": f"Bearer {orders['token']}"} | self.request.headers
        self.headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.latencies: list[float] = []
        self.failures = 0
        self.created: list[str] = []
        self.began = perf_counter()

    def next_request(self) -> bytes | None:
        if not self.remaining or perf_counter() - self.began > self.seconds:
            return None
        self.remaining -= 1
        self.n += 1
        at = self.n % len(self.ids)
        target = self.request.target.replace("{id}", self.ids[at])
        body = self.request.body.replace("{n}", str(self.n)).replace("{lock}", str(self.locks[at])).encode()
        self.locks[at] += 1  # where the request says nothing of it, nobody looks
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"{self.request.method} {target} HTTP/1.1\r\n{self.headers}{length}\r\n".encode() + body

    def answered(self, status: int, seconds: float, body: bytes) -> None:
        self.latencies.append(seconds)
        if not 200 <= status < 400:
            self.failures += 1
        elif self.collecting:
            self.created.append(json.loads(body)["data"]["id"])

    def result(self) -> dict[str, object]:
        ranked = sorted(self.latencies) or [0.0]
        measurement = {
            "requests": len(self.latencies),
            "failures": self.failures,
            "seconds": perf_counter() - self.began,
            "p50": ranked[len(ranked) // 2] * 1e3,
            "p99": ranked[len(ranked) * 99 // 100] * 1e3,
        }
        return {"measurement": measurement, "ids": self.created}


class Connection(asyncio.Protocol):
    """One request at a time; `finished` is set when there is nothing left to send, or the connection broke."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.finished = asyncio.Event()
        self.parser = httptools.HttpResponseParser(self)
        self.body: list[bytes] = []
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one, but says so to nobody
        self.send()

    def send(self) -> None:
        request = self.run.next_request()
        if request is None:
            self.finished.set()
            return
        self.sent = perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.run.answered(self.parser.get_status_code(), perf_counter() - self.sent, b"".join(self.body))
        self.body.clear()
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.is_set():
            self.run.failures += 1
            self.finished.set()


async def driven(orders: dict[str, object]) -> dict[str, object]:
    """Open the connections, keep them busy until the run is over, and tell what was seen."""
    loop, run = asyncio.get_running_loop(), Run(orders)
    opened = [
        loop.create_connection(lambda: Connection(run), "127.0.0.1", int(str(orders["port"])))
        for _ in range(int(str(orders["connections"])))
    ]
    connections = [connection for _, connection in await asyncio.gather(*opened)]
    async with asyncio.timeout(None if run.collecting else run.seconds + TIMEOUT):
        await asyncio.gather(*(connection.finished.wait() for connection in connections))
    return run.result()


def tell(answer: dict[str, object]) -> None:
    """On stdout, all of it: where Python is unbuffered, `print` drops what is left when a signal cuts a write short."""
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(json.dumps(answer).encode())


if __name__ == "__main__":
    tell(uvloop.run(driven(json.load(sys.stdin))))
