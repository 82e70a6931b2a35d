"""The two envelopes that every answer has, the headers that all of them carry, and how they are written."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict

JSON = "application/json"
COMMON = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Origin", "X-Content-Type-Options": "nosniff"}
"""Headers of all answers."""
HEADERS = {"Content-Type": JSON, **COMMON}
BY_ACCEPT = {"Vary": "Accept"}
"""A further header, in a line of its own, of what can be had in other formats too."""
NEGOTIATED = f"{COMMON['Vary']}, {BY_ACCEPT['Vary']}"
"""Both lines in one."""
PIECE = 2**16
"""Bytes written at once: before more are, the client has to take what there is."""
WRITE_SECONDS = 30.0
"""What a client may take to read a piece of an answer, and before it reads at all."""
LEAST_RATE = 2**16
"""Bytes a second that a client reads of a long answer at least; who is slower loses the connection."""
_BODILESS = (204, 304)
_NOTHING: Mapping[str, str] = {}

_sent_at = (0, b"")
_heads: dict[int, tuple[int, str]] = {}
"""For each status the head that all answers of one second share, and that second."""


class Paced(web.Response):
    """An answer whose body is in memory: written in pieces, and given up with the connection where the client does not
    read it in time, so that nothing is kept for who has left without a word."""

    async def write_eof(self, data: bytes = b"") -> None:
        body, request = self._body, self._req
        if isinstance(body, bytes) and len(body) > PIECE and request is not None and not self._must_be_empty_body:
            self._body = None
            await write_in_time(request, self.write, body)
        await super().write_eof(data)


async def write_in_time(request: web.BaseRequest, write: Callable[[bytes], Awaitable[None]], data: bytes) -> None:
    """Raises ConnectionResetError where the client did not read it in time; the connection is ended then."""
    try:
        async with asyncio.timeout(WRITE_SECONDS + len(data) / LEAST_RATE):
            for start in range(0, len(data), PIECE):
                await write(data[start : start + PIECE])
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client did not read the answer in time") from None


class Rendered(Paced):
    """An answer that is complete: head and body are put together as text and written at once.

    aiohttp makes a dictionary of headers for each answer, looks through it for what is missing and serialises it: 14 of
    the 32 µs of a request that does nothing else. What needs more than that still goes its way: HEAD, HTTP/1.0, the
    last answer on a connection, and marks for other origins. `own`: headers of values that hold no line's end.
    """

    def __init__(self, status: int, body: bytes | None, own: Mapping[str, str] = _NOTHING) -> None:
        # What the library makes at birth is made when its way is taken.
        self._status, self._content, self._own = status, body, own

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        content = self._content
        if not self._is_plain(request):
            headers = CIMultiDict(_common(self._status))
            headers.extend(self._own)
            super().__init__(status=self._status, body=content, headers=headers)
            return await super().prepare(request)
        lines = [_head(self._status)]
        lines += [f"{name}: {value}\r\n" for name, value in self._own.items()]
        if content is not None:
            lines.append(f"Content-Length: {len(content)}\r\n")
        lines.append("\r\n")
        data = "".join(lines).encode() + (content or b"")
        if len(data) <= PIECE:
            await request.writer.write(data)
        else:
            await write_in_time(request, request.writer.write, data)
        self._keep_alive = self._eof_sent = True
        return None

    def _is_plain(self, request: web.BaseRequest) -> bool:
        return (
            request.version == HttpVersion11
            and request.keep_alive
            and request.method != hdrs.METH_HEAD
            and self.keep_alive is None
            and not (isinstance(request, web.Request) and request.app.on_response_prepare)
        )


def _head(status: int) -> str:
    now = int(time.time())
    made = _heads.get(status)
    if made is None or made[0] != now:
        lines = {**_common(status), "Date": formatdate(now, usegmt=True), "Server": SERVER_SOFTWARE}
        text = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        made = _heads[status] = now, text + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return made[1]


def _common(status: int) -> Mapping[str, str]:
    """What has no body says nothing of it (RFC 9110, 15.4.5)."""
    return COMMON if status in _BODILESS else HEADERS


def sent_at() -> bytes:
    """Now, as a JSON text: UTC, to the second."""
    global _sent_at  # noqa: PLW0603 - the same text for a second's worth of answers
    now = int(time.time())
    if now != _sent_at[0]:
        _sent_at = (now, time.strftime('"%Y-%m-%dT%H:%M:%SZ"', time.gmtime(now)).encode())
    return _sent_at[1]


def success(
    data: bytes, *, status: int = 200, headers: Mapping[str, str] = _NOTHING, page: Mapping[str, Any] | None = None
) -> web.Response:
    """`data` is JSON already; `page` stands beside it."""
    parts = [b'{"data":', data]
    if page is not None:
        parts += [b',"page":', orjson.dumps(page)]
    parts += [b',"sent_at":', sent_at(), b"}"]
    return Rendered(status, b"".join(parts), headers)


def failure(
    status: int,
    message: str,
    errors: Sequence[Mapping[str, Any]],
    trace_id: str,
    headers: Mapping[str, str],
    total: int = 0,
) -> web.Response:
    """`trace_id`: hexadecimal digits. `total`: of all errors, where not all are shown."""
    parts = [b'{"message":', orjson.dumps(message), b',"errors":', orjson.dumps(errors)]
    if total:
        parts.append(b',"errors_total":%d' % total)
    parts += [b',"sent_at":', sent_at()]
    parts += [b',"trace_id":"', trace_id.encode(), b'"}']
    return Rendered(status, b"".join(parts), headers)
