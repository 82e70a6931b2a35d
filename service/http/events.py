"""The feed of events: pages by position, and server-sent events (HTML Standard, 9.2) that go on from any of them."""

import asyncio
import re
import socket
import time
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import structlog
from aiohttp import web
from yarl import URL

from domain.errors import Fault, Invalid
from projections.cloud_events import Published
from projections.database import Unavailable
from projections.states import TOPICS
from service.auth.errors import KeysUnreachable, ScopeMissing, Unauthenticated
from service.freshness import NotFresh
from service.http.answers import BY_ACCEPT, COMMON, JSON, NEGOTIATED, PIECE, Paced, success
from service.http.call import MAX_POSITION_DIGITS, Call
from service.http.negotiation import preferred
from service.http.parameters import UUID_PATTERN
from service.http.queries import Parameters
from service.http.statuses import RETRY_SECONDS, BadRequest
from service.parts import PARTS
from service.store.mapper import UnreadableEvent
from service.subscribers.lines import in_one_line
from service.subscribers.pages import DEFAULT_LIMIT, MAX_LIMIT, Page, Wanted
from service.subscribers.tail import Reader, TooManyReaders

ONCE: Final = ("after", "limit", "subject")
REPEATABLE: Final = ("type",)
STREAMED: Final = ("after", "subject")

HEARTBEAT_SECONDS: Final = 15.0
"""A stream on which nothing happens says so this often, and looks whether the token is still trusted."""
WRITE_SECONDS: Final = 30.0
"""How long a reader may take to make room for what is written."""
SEND_BUFFER: Final = 64 * 2**10
"""Bytes that the kernel may hold for a reader; left alone, it takes megabytes for one who does not read."""
RECONNECT_MILLISECONDS: Final = 1_000
"""What readers are told to wait before they come again."""
CATCH_UP: Final = 500
"""Events read from the log at once for a reader that is behind."""
CATCH_UP_BYTES: Final = 2**18
"""Of these, after which no more are read, until the reader has taken them."""

PATH: Final = "/v1/events"
BATCH: Final = "application/cloudevents-batch+json"
LAST_EVENT_ID: Final = "Last-Event-ID"
_HEADERS: Final = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no", **COMMON}
_log = structlog.get_logger(__name__)


async def events(call: Call) -> web.Response:
    parameters = Parameters(call.request, ONCE, REPEATABLE)
    wanted, after = _wanted(call, parameters), _position(parameters)
    limit = parameters.whole("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    parameters.done()
    await _known(call, after, "after")
    page = await call.parts.pages.page(wanted, after, limit)
    data = b"[%b]" % b",".join(event.event for event in page.events)
    accept = ", ".join(call.request.headers.getall("Accept", ())) or None
    if preferred(accept, (JSON, BATCH)) == BATCH:
        return _batch(call, data, page)
    place = {"next": page.next, "count": len(page.events), "more": page.more}
    return success(data, page=place, headers=BY_ACCEPT)


async def stream(call: Call) -> web.StreamResponse:
    """From a position on, for as long as the token holds."""
    parameters = Parameters(call.request, STREAMED, REPEATABLE)
    last = call.request.headers.get(LAST_EVENT_ID) or None  # empty where a client has no id yet
    wanted, after = _wanted(call, parameters), _position(parameters)
    parameters.done()
    if last is not None:  # a reader that comes again has the `after` of its first time in its address
        if not _is_position(last):
            raise BadRequest(
                Fault("HEADER_INVALID", "must be the id of an event, as the stream gave it", LAST_EVENT_ID)
            )
        after = int(last)
    await _known(call, after, "after" if last is None else LAST_EVENT_ID)
    first = await call.parts.pages.page(wanted, after, CATCH_UP, CATCH_UP_BYTES)
    response = web.StreamResponse(headers=_HEADERS)
    try:
        with call.parts.tail.reader(wanted, lambda: _abort(call.request)) as reader:
            await response.prepare(call.request)
            _bound(call.request)
            if call.request.method != "HEAD":
                await _Stream(call, response, reader).tell(first)
    except TooManyReaders as refused:
        headers = {"Retry-After": str(RETRY_SECONDS)}
        raise BadRequest(Fault("READERS_LIMIT", str(refused)), 503, headers) from None
    except (ConnectionError, TimeoutError):
        _abort(call.request)
    except BaseException:
        if response.prepared:  # nothing else can be said any more
            _abort(call.request)
        raise
    return response


def _batch(call: Call, data: bytes, page: Page) -> web.Response:
    """A batch as CloudEvents have it (HTTP binding, 3.3), which has no place for anything but events."""
    query = [(name, value) for name, value in call.request.query.items() if name != "after"]
    place = URL.build(path=call.located(PATH), query=[*query, ("after", str(page.next))])
    own = {"Content-Type": BATCH, "Link": f'<{place}>; rel="next"', "Ims-More": "true" if page.more else "false"}
    return Paced(body=data, headers={**COMMON, **own, "Vary": NEGOTIATED})


async def end_streams(app: web.Application) -> None:
    app[PARTS].tail.close()


def frame_of(event: Published) -> bytes:
    """The event in the form of a stream. An empty line ends it, and stands nowhere else: many clients take whatever
    comes before one for an event, heartbeats too."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.position, event.type.encode(), in_one_line(event.event))


class _Stream:
    """One connection: what the log has, then what is new, until the token or the reader ends."""

    def __init__(self, call: Call, response: web.StreamResponse, reader: Reader) -> None:
        self._call, self._response, self._reader = call, response, reader
        self._tail, self._pages = call.parts.tail, call.parts.pages
        self._position = 0

    async def tell(self, first: Page) -> None:
        await self._write(b"retry: %d\n" % RECONNECT_MILLISECONDS)
        try:
            await self._catch_up(first)
            self._tail.listen(self._reader)
            await self._catch_up(await self._next())  # what came before it began to listen
            await self._follow()
        except (Unavailable, UnreadableEvent, NotFresh) as error:
            self._call.parts.repeats.warn(_log, "stream_ended", error=str(error) or type(error).__name__)

    async def _catch_up(self, page: Page) -> None:
        while True:
            if page.events:
                with self._tail.holding(self._reader, page.size):
                    await self._write_all(map(frame_of, page.events))
            self._position, more = page.next, page.more
            del page  # nothing of it is kept while the next is read
            if not more or self._reader.ended or self._seconds_left() <= 0:
                return
            page = await self._next()

    async def _next(self) -> Page:
        return await self._pages.page(self._reader.wanted, self._position, CATCH_UP, CATCH_UP_BYTES)

    async def _follow(self) -> None:
        reader, check_at = self._reader, time.monotonic() + HEARTBEAT_SECONDS
        while not reader.ended:
            if self._seconds_left() <= 0:
                await self._write(_end("TOKEN_EXPIRED"))
                return
            frames = await reader.take(max(0.0, min(check_at - time.monotonic(), self._seconds_left())))
            if reader.missed:
                reader.missed = False
                await self._catch_up(await self._next())
            new = [frame for position, frame in frames if position > self._position]
            if new:
                self._position = frames[-1][0]
                await self._write_all(new)
            if time.monotonic() >= check_at:
                if not await self._trusted():
                    await self._write(_end("TOKEN_INVALID"))
                    return
                if not new:
                    await self._write(b": nothing new\n")
                check_at = time.monotonic() + HEARTBEAT_SECONDS

    def _seconds_left(self) -> float:
        return self._call.identity.expires_at - time.time()

    async def _trusted(self) -> bool:
        """The keys may have been withdrawn; while they are out of reach, the token is taken for what it was."""
        try:
            await self._call.parts.authenticator.authenticate(self._call.request.headers.get("Authorization"))
        except (Unauthenticated, ScopeMissing):
            return False
        except KeysUnreachable:
            return True
        return True

    async def _write_all(self, frames: Iterable[bytes]) -> None:
        """A few at a time, so that what is made of them and not taken yet stays small."""
        ready, size = list[bytes](), 0
        for frame in frames:
            if ready and size + len(frame) > PIECE:
                await self._write(b"".join(ready))
                ready, size = [], 0
            ready.append(frame)
            size += len(frame)
        if ready:
            await self._write(b"".join(ready))

    async def _write(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            if self._reader.dropped:
                raise ConnectionResetError("it did not read")
            async with asyncio.timeout(WRITE_SECONDS):
                await self._response.write(data[start : start + PIECE])


def _end(code: str) -> bytes:
    return b'event: ims.end\ndata: {"code":"%b"}\n\n' % code.encode()


def _wanted(call: Call, parameters: Parameters) -> Wanted:
    types, subject = parameters.all("type"), parameters.one("subject")
    if not TOPICS.keys() >= set(types):
        parameters.fault("PARAMETER_INVALID", f"must be one of {', '.join(TOPICS)}", "type")
        types = []
    if subject is not None and not re.fullmatch(UUID_PATTERN, subject):
        parameters.fault("PARAMETER_INVALID", "must be the id of an incident", "subject")
        subject = None
    about = None if subject is None else UUID(subject)
    return Wanted(call.tenant_id, frozenset(types), about, past=call.identity.may_audit)


def _position(parameters: Parameters) -> int:
    text = parameters.one("after")
    if text is not None and not _is_position(text):
        parameters.fault("PARAMETER_INVALID", "must be a position, 0 for the beginning", "after")
    return int(text) if text is not None and _is_position(text) else 0


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_POSITION_DIGITS


async def _known(call: Call, position: int, field: str) -> None:
    """Raises Invalid beyond the end of the log: whoever asks has followed another log, or one that was restored."""
    if position > call.parts.feed.head.value and position > await call.parts.log.head():
        raise Invalid([Fault("POSITION_UNKNOWN", "is beyond the end of the log", field)])


def _bound(request: web.Request) -> None:
    connection = request.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
