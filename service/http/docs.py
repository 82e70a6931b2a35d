"""The OpenAPI document and the page that shows it: every asset comes from here, none from another host."""

import hashlib
import importlib.util
from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from service.http.answers import COMMON, JSON
from service.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OF_SWAGGER: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_OWN: Final = ("docs.js",)
# Swagger UI sets styles by script and has its icons in `data:`; scripts come from here alone.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Docs:
    """The document is made when it is asked for the first time, so that no start waits for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _rendered(self) -> tuple[bytes, str]:
        from service.http.openapi import Document  # noqa: PLC0415 - its models take time to make

        body = orjson.dumps(Document(self._settings).value)
        return body, hashlib.sha256(body).hexdigest()[:32]

    async def openapi(self, request: web.Request) -> web.Response:
        body, tag = self._rendered
        headers = {**COMMON, "ETag": f'"{tag}"'}
        if any(known.value in (tag, "*") for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers={**headers, "Content-Type": JSON})


async def page(_request: web.Request) -> web.FileResponse:
    headers = {**COMMON, "Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return web.FileResponse(_own("docs.html"), headers=headers)


def add_docs(app: web.Application, settings: Settings) -> None:
    app.router.add_get("/openapi.json", Docs(settings).openapi)
    app.router.add_get("/docs", page)
    folder = _swagger_folder()
    for file in (*(folder / name for name in _OF_SWAGGER), *map(_own, _OWN)):
        app.router.add_get(f"/docs/{file.name}", _asset(file))


def _asset(file: Path) -> Handler:
    async def asset(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(file, headers=COMMON)

    return asset


def _own(name: str) -> Path:
    return Path(__file__).with_name("assets") / name


def _swagger_folder() -> Path:
    """Found without importing the package: only its files are of use, and an import would load a template engine."""
    spec = importlib.util.find_spec("swagger_ui")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("swagger-ui-py is not installed")
    return Path(spec.origin).with_name("static")
