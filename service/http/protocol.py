"""What the HTTP parser refuses is answered in the form of all failures, and nothing that was sent gets into the log."""

from typing import Any, Final

from aiohttp import web

from service.http.answers import failure
from service.http.entrance import ENTRANCE
from service.http.failure_log import FailureLog
from service.parts import PARTS
from service.randomness import random_trace_id

MAX_LINE: Final = 8190
"""Bytes of the request line, and of each header."""

_MESSAGE: Final = f"not HTTP as it is taken here; the request line and each header may have {MAX_LINE} bytes"


class Protocol(web.RequestHandler):
    """aiohttp would answer in plain text, and log the line in full: it may hold a token."""

    __slots__ = ("_failures",)

    def __init__(self, *args: Any, failures: FailureLog, **options: Any) -> None:
        super().__init__(*args, **options)
        self._failures = failures

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
        self._failures.malformed(status, "REQUEST_INVALID", trace_id)
        error = {"code": "REQUEST_INVALID", "message": _MESSAGE}
        response = failure(status, "The request is not valid.", [error], trace_id, {})
        response.force_close()
        return response


class _Server(web.Server):
    def __init__(self, *args: Any, failures: FailureLog, **options: Any) -> None:
        super().__init__(*args, **options)
        self._failures = failures

    def __call__(self) -> web.RequestHandler:
        return Protocol(self, loop=self._loop, failures=self._failures, **self._kwargs)


class Runner(web.AppRunner):
    """Serves the application over this protocol."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        entrance = self.app[ENTRANCE]
        return _Server(
            entrance.open(server.request_handler),
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            failures=FailureLog(self.app[PARTS].repeats),
            **server._kwargs,  # noqa: SLF001 - aiohttp has no public way to name the protocol's class
        )
