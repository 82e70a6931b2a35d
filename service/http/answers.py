"""The two envelopes that every answer has, and the headers that all of them carry."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

JSON = "application/json"
COMMON = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Origin", "X-Content-Type-Options": "nosniff"}
"""Headers of all answers."""
HEADERS = {"Content-Type": JSON, **COMMON}

_sent_at = (0, b"")


def sent_at() -> bytes:
    """Now, as a JSON text: UTC, to the second."""
    global _sent_at  # noqa: PLW0603 - the same text for a second's worth of answers
    now = int(time.time())
    if now != _sent_at[0]:
        _sent_at = (now, time.strftime('"%Y-%m-%dT%H:%M:%SZ"', time.gmtime(now)).encode())
    return _sent_at[1]


def success(
    data: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None, page: Mapping[str, Any] | None = None
) -> web.Response:
    """`data` is JSON already; `page` stands beside it."""
    parts = [b'{"data":', data]
    if page is not None:
        parts += [b',"page":', orjson.dumps(page)]
    parts += [b',"sent_at":', sent_at(), b"}"]
    return web.Response(body=b"".join(parts), status=status, headers={**HEADERS, **headers} if headers else HEADERS)


def failure(
    status: int, message: str, errors: Sequence[Mapping[str, Any]], trace_id: str, headers: Mapping[str, str]
) -> web.Response:
    body = {"message": message, "errors": errors, "sent_at": orjson.Fragment(sent_at()), "trace_id": trace_id}
    return web.Response(body=orjson.dumps(body), status=status, headers={**HEADERS, **headers})
