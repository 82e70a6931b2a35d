"""Creates at a steady rate, and when each was answered; and when a subscriber in another process had its event."""

import asyncio
import multiprocessing
import time
from collections import deque
from typing import Any, cast

import httptools
import uvloop
from redis import Redis

from tests.bench.traffic import REQUESTS

CONNECTIONS = 32
BLOCK_MILLISECONDS = 500

Times = dict[int, float]
"""By position, in seconds of the clock that all processes of a machine share."""


class _Paced(asyncio.Protocol):
    """One request at a time; it takes the next of those that are due."""

    def __init__(self, answered: Times) -> None:
        self.answered = answered
        self.free = True
        self.parser = httptools.HttpResponseParser(self)
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def send(self, request: bytes) -> None:
        self.free = False
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"ims-position":
            self.answered[int(value)] = time.monotonic()

    def on_message_complete(self) -> None:
        self.free = True


async def creates(port: int, token: str, rate: int, seconds: float) -> Times:
    """At that rate, as long as the service keeps up with it; an answer without a position is not among them."""
    loop, answered = asyncio.get_running_loop(), Times()
    body = REQUESTS["create"].body.encode()
    head = f"POST /v1/incident HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    connections: deque[_Paced] = deque()
    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: _Paced(answered), "127.0.0.1", port)
        connections.append(connection)
    began, sent = loop.time(), 0
    while (now := loop.time() - began) < seconds:
        for _ in range(min(int(now * rate) - sent, CONNECTIONS)):
            connections.rotate()
            if connections[0].free:
                connections[0].send(request)
                sent += 1
        await asyncio.sleep(0.001)
    await asyncio.sleep(1)
    return answered


def reader(redis_port: int, stream: str, seconds: float, told: Any) -> None:
    """A process of its own: puts the time at which XREAD gave each event into the queue `told`."""
    seen, last, end = Times(), "$", time.monotonic() + seconds
    with Redis(port=redis_port) as client:
        told.put("ready")
        while time.monotonic() < end:
            read: Any = client.xread({stream: last}, block=BLOCK_MILLISECONDS)
            now = time.monotonic()
            for id, _ in read[0][1] if read else ():
                last = id.decode()
                seen[int(last.partition("-")[0])] = now
    told.put(seen)


def latencies(
    port: int, token: str, redis_port: int, stream: str, rate: int, seconds: int
) -> tuple[float, list[float]]:
    """Creates a second that were answered; and from each answer to XREAD's, in milliseconds, rising."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    process = context.Process(target=reader, args=(redis_port, stream, seconds + 3, told))
    process.start()
    assert told.get(timeout=30) == "ready"
    answered = uvloop.run(creates(port, token, rate, seconds))
    seen = told.get(timeout=30)
    process.join()
    taken = sorted((seen[position] - at) * 1e3 for position, at in answered.items() if position in seen)
    if len(taken) != len(answered):
        raise RuntimeError(f"of {len(answered)} events {len(taken)} were read")
    return len(answered) / seconds, taken
