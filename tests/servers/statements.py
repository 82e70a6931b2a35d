"""Which SQL a PostgreSQL client is asking for, read off the bytes it sends (frontend/backend protocol 3.0)."""

import struct
from collections.abc import Iterator

STARTUP = 196608
NAME_END = b"\0"


class Statements:
    """Fed with what one client sends, in any slices; gives the text of each statement when its request is complete.

    A request is complete with the message after which the server must answer: a Query, or the Sync behind an Execute.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._started = False
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self._executed: list[str] = []

    def feed(self, data: bytes) -> Iterator[str]:
        self._buffer += data
        while message := self._next():
            yield from self._read(*message)

    def _next(self) -> tuple[bytes, bytes] | None:
        head = 1 if self._started else 0  # what comes before and with the start has no type byte
        if len(self._buffer) < head + 4:
            return None
        (length,) = struct.unpack_from("!I", self._buffer, head)
        if len(self._buffer) < head + length:
            return None
        kind, body = self._buffer[:head], self._buffer[head + 4 : head + length]
        self._buffer = self._buffer[head + length :]
        if not self._started and struct.unpack_from("!I", body)[0] == STARTUP:
            self._started = True
        return kind, body

    def _read(self, kind: bytes, body: bytes) -> Iterator[str]:
        match kind:
            case b"Q":
                yield body.rstrip(NAME_END).decode()
            case b"P":
                name, text, _ = body.split(NAME_END, 2)
                self._prepared[name] = text.decode()
            case b"B":
                portal, name, _ = body.split(NAME_END, 2)
                self._portals[portal] = self._prepared.get(name, "")
            case b"E":
                self._executed.append(self._portals.get(body.split(NAME_END, 1)[0], ""))
            case b"S":
                yield from self._executed
                self._executed.clear()


class Answers:
    """Fed with what the server sends; counts the requests it has finished (ReadyForQuery)."""

    def __init__(self) -> None:
        self._buffer = b""
        self.finished = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer[:1] in (b"N", b"S") and self.finished == 0 and len(self._buffer) == 1:
            self._buffer = b""  # the one-byte refusal of TLS
        while len(self._buffer) >= 5:
            (length,) = struct.unpack_from("!I", self._buffer, 1)
            if len(self._buffer) < 1 + length:
                return
            self.finished += self._buffer[:1] == b"Z"
            self._buffer = self._buffer[1 + length :]
