"""The upper bound: an aiohttp handler that reads the body, answers with the service's own bytes, and stores nothing.

`python -m tests.bench.bare ANSWERS`: a JSON file, for each kind of request its status, headers and body.
"""

import asyncio
import json
import sys
from pathlib import Path

import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler

from tests.bench.answers import Answer
from tests.bench.listening import announced_socket

ROUTES = {
    "create": ("POST", "/v1/incident"),
    "list": ("GET", "/v1/incident"),
    "get": ("GET", "/v1/incident/{id}"),
    "edit": ("PUT", "/v1/incident/{id}"),
}


def replay(answer: Answer, known: Answer | None) -> Handler:
    """`known` answers where the client has it already."""
    body = answer.body.encode()

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        if known is not None and "If-None-Match" in request.headers:
            return web.Response(status=known.status, headers=known.headers)
        return web.Response(status=answer.status, headers=answer.headers, body=body)

    return handler


def application(file: Path) -> web.Application:
    app = web.Application()
    answers = {kind: Answer(**answer) for kind, answer in json.loads(file.read_text()).items()}
    for kind, (method, path) in ROUTES.items():
        app.router.add_route(method, path, replay(answers[kind], answers.get("known") if kind == "get" else None))
    return app


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    web.run_app(application(Path(sys.argv[1])), sock=announced_socket(), print=None, access_log=None)
