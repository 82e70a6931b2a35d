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

from tests.bench.listening import announced_socket

ROUTES = {
    "create": ("POST", "/v1/incident"),
    "list": ("GET", "/v1/incident"),
    "get": ("GET", "/v1/incident/{id}"),
    "edit": ("PUT", "/v1/incident/{id}"),
}


def replay(status: int, headers: dict[str, str], body: bytes) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=status, headers=headers, body=body)

    return handler


def application(answers: Path) -> web.Application:
    app = web.Application()
    for kind, answer in json.loads(answers.read_text()).items():
        method, path = ROUTES[kind]
        app.router.add_route(method, path, replay(answer["status"], answer["headers"], answer["body"].encode()))
    return app


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    web.run_app(application(Path(sys.argv[1])), sock=announced_socket(), print=None, access_log=None)
