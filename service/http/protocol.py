"""What the HTTP parser refuses is answered in the form of all failures, and nothing that was sent gets into the log."""

import asyncio
import re
from collections.abc import Coroutine
from heapq import nsmallest
from operator import attrgetter
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD

from service.file_handles import connections
from service.http.answers import failure
from service.http.entrance import ENTRANCE
from service.http.failure_log import FailureLog
from service.parts import PARTS, Parts
from service.randomness import random_trace_id

MAX_LINE: Final = 8190
"""Bytes of the request line."""
MAX_HEADERS: Final = 128
"""Headers of a request."""
READING: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing: of no use to a client that has left."""
ALL_HEADERS: Final = 2
"""Times what one header may have: as much as all of a request have together."""
CLOSED_PART: Final = 16
"""Of the limit of connections, as many as are closed at once where it is reached: one in so many."""

_KEPT: Final = 256
"""Bytes of a line that is not complete yet: enough for a header's name."""
_REQUEST_LINE: Final = re.compile(rb"[A-Z]+ ")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):")
_LOOK_SECONDS: Final = 0.02
"""Between two looks at who is still connected, at the end."""
_CUT_SECONDS: Final = 0.1
"""What a handler has that is told at the end that its client is given up."""
_TOO_MANY: Final = "Too many headers"
_INVALID: Final = "not HTTP as it is taken here; percent-encode what is not ASCII in an address, as in q=Z%C3%BCrich"

_log = structlog.get_logger(__name__)


class TooLong(BadHttpMessage):
    """A line of a request's head is over its limit. `header` is the header's name, as far as it is known."""

    def __init__(self, status: int, header: str = "") -> None:
        super().__init__("too long")
        self.status, self.header = status, header


class HeadParser:
    """aiohttp's parser, which says that a line is too long but not which: that is read from what it was fed.

    `limit`: bytes of a whole head, of which that parser would keep as much as comes.
    """

    def __init__(self, parser: Any, limit: int) -> None:
        self._parser, self._feed, self._limit = parser, parser.feed_data, limit
        self.message_consumed = parser.message_consumed
        self._body: Any = EMPTY_PAYLOAD
        self._ended = True
        """Whether all that comes belongs to a head: the last body's end was in something that came before."""
        self._head = 0
        """Bytes of a head that is not complete yet."""
        self._line, self._length = b"", 0
        """The line that is not complete yet: its beginning, and how long it is."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    @property
    def has_begun(self) -> bool:
        """A part of a head has come, and the rest has not."""
        return self._head > 0

    def feed_data(self, data: bytes) -> Any:
        try:
            fed = self._feed(data)
        except LineTooLong:
            raise self._of_the_longest_line(data) from None
        except BadHttpMessage as error:
            if error.message.startswith(_TOO_MANY):
                raise TooLong(431) from None
            raise
        messages = fed[0]
        if messages:
            if self._head + len(data) > self._limit and any(_size_of(head) > self._limit for head, _ in messages):
                raise TooLong(431)
            body = self._body = messages[-1][1]
            self._head, self._ended = 0, body is EMPTY_PAYLOAD or body.is_eof()
        elif self._ended:
            self._head += len(data)
            if self._head > self._limit:
                raise TooLong(431)
        else:
            self._ended = self._body.is_eof()
        if data.endswith(b"\r\n\r\n"):
            self._line, self._length = b"", 0
        else:
            self._keep(data)
        return fed

    def _keep(self, data: bytes) -> None:
        start = data.rfind(b"\n") + 1
        if start:
            self._line, self._length = data[start : start + _KEPT], len(data) - start
        else:
            self._line = (self._line + data[:_KEPT])[:_KEPT]
            self._length += len(data)

    def _of_the_longest_line(self, data: bytes) -> TooLong:
        first, *others = data.split(b"\n")
        length, line = self._length + len(first), self._line + first[:_KEPT]
        for other in others:
            if len(other) > length:
                length, line = len(other), other
        if _REQUEST_LINE.match(line):
            return TooLong(414)
        found = _HEADER.match(line)
        return TooLong(431, found[1].decode() if found else "")


def _size_of(head: Any) -> int:
    return sum(len(name) + len(value) for name, value in head.raw_headers)


class Protocol(web.RequestHandler):
    """aiohttp would answer in plain text, and log the line in full: it may hold a token."""

    __slots__ = ("_failures", "_parts")

    def __init__(self, *arguments: Any, parts: Parts, failures: FailureLog, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._parts, self._failures = parts, failures
        self._parser: Any = HeadParser(self._parser, ALL_HEADERS * self.max_field_size)

    def connection_lost(self, exc: BaseException | None) -> None:
        """A read ends with its client; what changes something goes on, and its outcome is known to the log."""
        request, handling = self._current_request, self._task_handler
        super().connection_lost(exc)
        if request is not None and request.method in READING and handling is not None:
            handling.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        server = self._manager
        if isinstance(server, _Server):
            server.make_room(self)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request, or for the rest of its head."""
        return self._waiter is not None and not self._waiter.done() and self.transport is not None

    @property
    def ends_at(self) -> float:
        """When it will have been idle for too long: the earlier, the longer it has been."""
        return self._next_keepalive_close_time

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """A process that leaves says so in each answer: nobody sends what comes next on a connection that ends."""
        if self._parts.leaving and not resp.prepared:
            resp.force_close()
        return super().finish_response(request, resp, start_time)

    def leave(self) -> None:
        """Close the connection, unless something is asked on it: then what is still coming is read, and answered."""
        lost = self._parser is None
        if lost or (self._waiter is not None and not self._messages and not self._parser.has_begun):
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500 or request.writer.output_size:
            return super().handle_error(request, status, exc, message)
        trace_id = random_trace_id()
        error = {"code": "REQUEST_INVALID", "message": _INVALID}
        if isinstance(exc, TooLong):
            status, error = exc.status, _too_long(exc, self.max_field_size)
        self._failures.malformed(status, error["code"], trace_id)
        response = failure(status, "The request is not valid.", [error], trace_id, {})
        response.force_close()
        return response


def _too_long(error: TooLong, limit: int) -> dict[str, str]:
    if error.status == 414:
        return {"code": "URI_TOO_LONG", "message": f"the request line may have {MAX_LINE} bytes"}
    text = f"each header may have {limit} bytes, all together {ALL_HEADERS * limit}, and there may be {MAX_HEADERS}"
    if not error.header:
        return {"code": "HEADER_TOO_LARGE", "message": text}
    return {"code": "HEADER_TOO_LARGE", "message": f"{error.header} is too large: {text}", "field": error.header}


class _Server(web.Server):
    """aiohttp's, but for its end: that takes no further byte, and waits for bodies of which it dropped the rest.

    `limit`: connections.
    """

    def __init__(self, *args: Any, parts: Parts, limit: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self._parts, self._failures, self._limit = parts, FailureLog(parts.repeats), limit

    def __call__(self) -> web.RequestHandler:
        return Protocol(self, loop=self._loop, parts=self._parts, failures=self._failures, **self._kwargs)

    def pre_shutdown(self) -> None:
        for connection in self.connections:
            if isinstance(connection, Protocol):
                connection.leave()

    async def shutdown(self, timeout: float | None = None) -> None:
        """`timeout`: seconds that the others have to send what they ask, and to take the answer."""
        end = self._loop.time() + (timeout or 0)
        while self.connections and self._loop.time() < end:
            await asyncio.sleep(_LOOK_SECONDS)
            self.pre_shutdown()
        await super().shutdown(_CUT_SECONDS)

    def make_room(self, newest: Protocol) -> None:
        """Where there are more connections than may be, close those that have been idle longest: some at once, so that
        finding them costs each newcomer little. Where none is idle, the newest goes."""
        if len(self._connections) <= self._limit:
            return
        there = [one for one in self.connections if isinstance(one, Protocol) and one.transport is not None]
        if len(there) <= self._limit:
            return  # those that were closed a moment ago are still counted
        idle = nsmallest(max(1, self._limit // CLOSED_PART), (one for one in there if one.is_idle), _ends_at)
        for one in idle or (newest,):
            one.force_close()
        self._parts.repeats.warn(_log, "connections_limit_reached", limit=self._limit, idle=bool(idle))


_ends_at = attrgetter("ends_at")


class Runner(web.AppRunner):
    """Serves the application over this protocol, with the limits of its settings."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        entrance, parts = self.app[ENTRANCE], self.app[PARTS]
        settings = parts.settings
        limits = {"max_line_size": MAX_LINE, "max_field_size": settings.max_header_size, "max_headers": MAX_HEADERS}
        options = limits | {"auto_decompress": False}  # the parser would unpack before anybody knows who sends
        return _Server(
            entrance.open(server.request_handler),
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            parts=parts,
            limit=connections(settings.max_connections, settings.database_pool),
            **(server._kwargs | options),  # noqa: SLF001 - aiohttp has no public way to name the protocol's class
        )
