"""What machines and people ask of the service itself, without a token: alive, ready, status, metrics."""

import asyncio
import time
from typing import Any

import orjson
from aiohttp import web

from projections.database import Unavailable
from service.http.answers import COMMON, HEADERS
from service.http.expectations import expect
from service.measuring import measure
from service.metrics import CONTENT_TYPE_LATEST
from service.parts import PARTS, Parts
from service.status import status_of

READY_SECONDS = 2.0
"""How long the store may take to answer."""
FIRST_READ_SECONDS = 10.0
"""How long a process that has begun waits for its read models before it is ready without: writes do not need them."""


async def livez(_request: web.Request) -> web.Response:
    return _json({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """A process that serves the API is ready when its store answers, and for the first time when it can answer a read;
    one that only follows while its follower lives."""
    problem = await _problem(request.app[PARTS])
    return _json({"status": "not ready", "reason": problem}, 503) if problem else _json({"status": "ready"})


async def status(request: web.Request) -> web.Response:
    return _json(await status_of(request.app[PARTS]))


async def metrics(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    await measure(parts)
    return web.Response(body=parts.metrics.text(), headers={**COMMON, "Content-Type": CONTENT_TYPE_LATEST})


async def _problem(parts: Parts) -> str:
    if parts.leaving:
        return "the process is about to end"
    if "api" not in parts.settings.run and parts.stopped:
        return "a follower has stopped"
    if "api" not in parts.settings.run and parts.outdated:
        return "a follower leaves what comes next to a newer release"
    if "api" in parts.settings.run and not _has_answered(parts):
        return "the read models are not up to date yet"
    try:
        async with asyncio.timeout(READY_SECONDS):
            await parts.log.head()
    except (Unavailable, TimeoutError):
        return "the store does not answer"
    return ""


def _has_answered(parts: Parts) -> bool:
    """Later the read models may fall behind everywhere at once, and then nobody would be ready for a write."""
    if not parts.has_answered:
        parts.has_answered = parts.freshness.is_settled or time.monotonic() - parts.began > FIRST_READ_SECONDS
    return parts.has_answered


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, headers=HEADERS)


def add_health(app: web.Application) -> None:
    app.router.add_get("/livez", livez, expect_handler=expect)
    app.router.add_get("/readyz", readyz, expect_handler=expect)
    app.router.add_get("/status", status, expect_handler=expect)
    app.router.add_get("/metrics", metrics, expect_handler=expect)
