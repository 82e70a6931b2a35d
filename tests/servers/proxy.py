"""A TCP proxy that breaks the network on demand: slow, refusing, reset, silent, half open, or losing one answer."""

import asyncio
import re
import socket
import struct
from dataclasses import dataclass, field
from typing import Literal, Self

from tests.servers.statements import Answers, Statements

CHUNK = 65536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Direction = Literal["up", "down"]
Moment = Literal["sent", "answered"]


@dataclass
class LostAnswer:
    """An answer that is going to be lost; `happened` is set when the client has been cut off."""

    statement: re.Pattern[str]
    moment: Moment
    happened: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class Connection:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    statements: Statements = field(default_factory=Statements)
    answers: Answers = field(default_factory=Answers)
    losing: LostAnswer | None = None


class FaultProxy:
    """Stands between a client and `127.0.0.1:upstream`; `up` is towards the server. Faults hold until they are lifted.

    It lives in the loop that starts it, and keeps its port over `refuse` and `accept`. `postgres`: it understands what
    passes, for `lose_next_answer`; anything else would be gathered up as one message that never ends.
    """

    def __init__(self, upstream: int, *, postgres: bool = True) -> None:
        self._upstream, self._postgres = upstream, postgres
        self._listener: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._to_lose: LostAnswer | None = None
        self.port = 0
        self.latency = 0.0  # seconds, each way
        self.silent: set[Direction] = set()  # bytes of these directions disappear; connections stay open

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def start(self) -> Self:
        await self.accept()
        return self

    async def stop(self) -> None:
        await self.refuse()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self) -> None:
        """Listen (again)."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections; those that are open go on."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def reset(self) -> None:
        """Cut every open connection, both sides, with a TCP reset."""
        for connection in list(self._connections):
            _reset(connection.client)
            _reset(connection.server)

    def half_open(self, survivor: Literal["client", "server"]) -> None:
        """One side of every open connection is gone; the survivor's stays open and hears nothing of it."""
        self.silent |= {"up", "down"}
        for connection in list(self._connections):
            _reset(connection.server if survivor == "client" else connection.client)

    def lose_next_answer(self, statement: str, moment: Moment = "answered") -> asyncio.Event:
        """Cut off the client that next asks PostgreSQL for something that matches the regular expression `statement`.

        "answered": when the server has done it, and its answer has been thrown away. "sent": as soon as the server has
        been asked; its side stays open, so the server goes on by itself (say, with waiting for a lock). The event that
        is returned is set when the client has been cut off. Other connections, and later ones, are not touched.
        """
        self._to_lose = LostAnswer(re.compile(statement, re.IGNORECASE), moment)
        return self._to_lose.happened

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            from_server, server = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            _reset(client)
            return
        connection = Connection(client, server)
        self._connections.add(connection)
        try:
            await asyncio.gather(
                self._pass_on(connection, from_client, "up"), self._pass_on(connection, from_server, "down")
            )
        finally:
            self._connections.discard(connection)
            client.close()
            server.close()

    async def _pass_on(self, connection: Connection, source: asyncio.StreamReader, direction: Direction) -> None:
        target = connection.server if direction == "up" else connection.client
        understand = self._ask if direction == "up" else self._answer
        try:
            while data := await source.read(CHUNK):
                if self.latency:
                    await asyncio.sleep(self.latency)
                if direction in self.silent:
                    continue
                if self._postgres:
                    await understand(connection, data)
                else:
                    target.write(data)
                    await target.drain()
        except OSError:
            pass  # a side was cut, by a fault or by itself
        if not self.silent and not connection.losing:
            target.close()

    async def _ask(self, connection: Connection, data: bytes) -> None:
        for statement in connection.statements.feed(data):
            if self._to_lose and self._to_lose.statement.search(statement):
                connection.losing, self._to_lose = self._to_lose, None
        connection.server.write(data)
        await connection.server.drain()
        if connection.losing and connection.losing.moment == "sent":
            _cut_client(connection, connection.losing)

    async def _answer(self, connection: Connection, data: bytes) -> None:
        finished = connection.answers.finished
        connection.answers.feed(data)
        if connection.losing is None:
            connection.client.write(data)
            await connection.client.drain()
        elif connection.answers.finished > finished:
            _cut_client(connection, connection.losing)
            connection.server.close()


def _cut_client(connection: Connection, lost: LostAnswer) -> None:
    _reset(connection.client)
    lost.happened.set()


def _reset(writer: asyncio.StreamWriter) -> None:
    handle = writer.get_extra_info("socket")
    if handle is not None and not writer.transport.is_closing():
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
