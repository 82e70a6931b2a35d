"""A reader of server-sent events on a socket of its own, which reads as fast or as slowly as a test wants."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.http.api import Api

STREAM = "/v1/events/stream"
SMALL_BUFFER = 4_096


@dataclass
class Told:
    """One event of a stream."""

    id: int
    type: str
    data: Any


@dataclass
class Reading:
    """An open stream. `comments` are the heartbeats."""

    status: int
    headers: Mapping[str, str]
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    comments: list[str] = field(default_factory=list)
    ended: bool = False

    async def __aiter__(self) -> AsyncIterator[Told]:
        """Until the stream ends; `ended` says whether it was in order."""
        fields: dict[str, str] = {}
        async for line in self._lines():
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                if "data" in fields:
                    yield Told(int(fields.get("id", 0)), fields["event"], orjson.loads(fields["data"]))
                fields = {}

    async def take(self, number: int, seconds: float = 90.0) -> list[Told]:
        """The next events, exactly so many."""
        told: list[Told] = []
        async with asyncio.timeout(seconds):
            async for event in self:
                told.append(event)
                if len(told) == number:
                    break
        return told

    async def raw(self, size: int) -> bytes:
        return await self._reader.read(size)

    async def _lines(self) -> AsyncIterator[str]:
        rest = ""
        while True:
            try:
                size = int(await self._reader.readline() or b"0", 16)
                chunk = await self._reader.readexactly(size)
                await self._reader.readexactly(2)
            except (asyncio.IncompleteReadError, ConnectionError, ValueError):
                return
            if not size:
                self.ended = True
                return
            *lines, rest = (rest + chunk.decode()).split("\n")
            for line in lines:
                yield line


@asynccontextmanager
async def listening(
    api: Api, query: str = "", *, last: int | None = None, token: str | None = None, buffer: int | None = None
) -> AsyncIterator[Reading]:
    """`last`: the position to go on from. `buffer`: bytes that the reader's socket may hold."""
    authorization = api.authorization["Authorization"] if token is None else f"Bearer {token}"
    host, port = api.client.host, api.client.port
    async with listening_at(str(host), int(port or 0), authorization, query, last=last, buffer=buffer) as reading:
        yield reading


@asynccontextmanager
async def listening_at(
    host: str, port: int, authorization: str, query: str = "", *, last: int | None = None, buffer: int | None = None
) -> AsyncIterator[Reading]:
    connection = socket.socket()
    connection.setblocking(False)
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    await asyncio.get_running_loop().sock_connect(connection, (host, port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=buffer or 2**16)
    try:
        head = [f"GET {STREAM}{query} HTTP/1.1", f"Host: {host}", f"Authorization: {authorization}"]
        if last is not None:
            head.append(f"Last-Event-ID: {last}")
        writer.write("\r\n".join([*head, "", ""]).encode())
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        yield Reading(int(status.split()[1]), headers, reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
