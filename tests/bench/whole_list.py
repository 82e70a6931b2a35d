"""Every incident of a tenant in one answer: how quickly it comes, and what the service's memory grows by meanwhile."""

import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from tests.servers.process import ServiceProcess

BUFFER = 2**18
LOOK_SECONDS = 0.005
END = b"0\r\n\r\n"
"""Of an answer that comes in chunks."""


@dataclass(frozen=True)
class Whole:
    """`growth`: bytes by which the service had more in memory at most than before the request."""

    bytes: int
    seconds: float
    growth: int

    @property
    def rate(self) -> float:
        """Megabytes a second."""
        return self.bytes / 1e6 / self.seconds


def whole_list(service: ServiceProcess, token: str) -> Whole:
    """Raises RuntimeError where the answer is cut short or none."""
    address = urlsplit(service.url)
    memory = _Memory(service.pid)
    with socket.create_connection((address.hostname, address.port)) as connection, memory:
        began = time.perf_counter()
        connection.sendall(
            f"GET /v1/incident HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        size, buffer, end = 0, bytearray(BUFFER), b""
        while not end.endswith(END):
            got = connection.recv_into(buffer)
            if not got:
                raise RuntimeError(f"the list ended after {size} bytes: {end!r}")
            if not size and not buffer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(bytes(buffer[:got]).decode())
            size += got
            end = (end + bytes(buffer[max(0, got - len(END)) : got]))[-len(END) :]
        seconds = time.perf_counter() - began
    return Whole(size, seconds, memory.growth)


class _Memory:
    """Looks at a process's memory again and again while it is entered."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._before = self._most = self._resident()

    @property
    def growth(self) -> int:
        return self._most - self._before

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._most = max(self._most, self._resident())

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)
