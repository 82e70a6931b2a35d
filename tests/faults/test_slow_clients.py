"""Clients that keep a connection without ever asking for anything: cut by the service as it is run."""

import asyncio
from contextlib import suppress
from time import monotonic
from urllib.parse import urlsplit

from tests.faults.conftest import Ground

IDLE_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
DROP_SECONDS = 0.1


HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
REQUEST = HEAD + b"\r\n"


async def received(url: str, sent: bytes, drop: bytes) -> tuple[bytes, float]:
    """What comes until the service closes, and after how many seconds; `drop` is sent again and again meanwhile."""
    address = urlsplit(url)
    began = monotonic()
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(sent)
    dropping = asyncio.create_task(_drip(writer, drop))
    answer = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            with suppress(ConnectionResetError):
                while part := await reader.read(1024):
                    answer += part
    finally:
        dropping.cancel()
        writer.close()
    return bytes(answer), monotonic() - began


async def _drip(writer: asyncio.StreamWriter, drop: bytes) -> None:
    with suppress(ConnectionError):
        while drop:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(DROP_SECONDS)


async def test_a_connection_without_a_whole_request_is_cut(on_sqlite: Ground) -> None:
    service = on_sqlite.start(idle_timeout=str(IDLE_SECONDS))
    clients = [(b"", b""), (HEAD, b""), (HEAD, b"X: a\r\n"), (REQUEST, b"")]
    ends = await asyncio.gather(*(received(service.url, sent, drop) for sent, drop in clients))
    for (sent, _), (answer, seconds) in zip(clients, ends, strict=True):
        assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200 OK") == (sent == REQUEST)
        assert seconds > IDLE_SECONDS / 2
