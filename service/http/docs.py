"""The OpenAPI and AsyncAPI documents, and a page that shows the first: every asset of it comes from here."""

import hashlib
import importlib.util
from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web

from service.http.answers import COMMON, JSON
from service.http.preconditions import uncoded
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
    """A document is made when it is asked for the first time, so that no start waits for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _openapi(self) -> tuple[bytes, str]:
        from service.http.openapi import Document  # noqa: PLC0415 - its models take time to make

        return _rendered(Document(self._settings).value)

    @cached_property
    def _asyncapi(self) -> tuple[bytes, str]:
        from service.http.asyncapi import document  # noqa: PLC0415 - as above

        return _rendered(document(self._settings.base_path))

    async def openapi(self, request: web.Request) -> web.Response:
        return _answer(request, *self._openapi)

    async def asyncapi(self, request: web.Request) -> web.Response:
        return _answer(request, *self._asyncapi)


def _rendered(value: Any) -> tuple[bytes, str]:
    body = orjson.dumps(value)
    return body, hashlib.sha256(body).hexdigest()[:32]


def _answer(request: web.Request, body: bytes, tag: str) -> web.Response:
    headers = {**COMMON, "ETag": f'"{tag}"'}
    if any(uncoded(known.value) in (tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers={**headers, "Content-Type": JSON})


async def page(_request: web.Request) -> web.FileResponse:
    headers = {**COMMON, "Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return web.FileResponse(_own("docs.html"), headers=headers)


def add_docs(app: web.Application, settings: Settings) -> None:
    docs = Docs(settings)
    app.router.add_get("/openapi.json", docs.openapi)
    app.router.add_get("/asyncapi.json", docs.asyncapi)
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
