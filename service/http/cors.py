"""Calls from pages of other origins, as the deployment allows them (Fetch Standard, 3.2)."""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS = (
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Ims-Min-Position, "
    "Last-Event-ID, traceparent"
)
EXPOSED_HEADERS = "ETag, Location, Ims-Position, Retry-After, WWW-Authenticate"
PREFLIGHT_SECONDS = 600
"""How long a browser may remember the answer to a preflight."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def allow_origins(app: web.Application, origins: tuple[str, ...]) -> None:
    """Answer preflights before anyone is asked for a token, and mark every answer to an allowed origin."""

    def allowed(request: web.Request) -> str | None:
        origin = request.headers.get(hdrs.ORIGIN)
        return origin if origin is not None and (origin in origins or "*" in origins) else None

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        origin = allowed(request)
        if origin is not None:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED_HEADERS

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != hdrs.METH_OPTIONS or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
            return await handler(request)
        headers = {"Vary": "Authorization, Origin", "Cache-Control": "private, no-cache"}
        if allowed(request) is not None:
            headers |= {
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: ALLOWED_METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: ALLOWED_HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: str(PREFLIGHT_SECONDS),
            }
        return web.Response(status=204, headers=headers)

    app.middlewares.append(preflight)
    if origins:
        app.on_response_prepare.append(mark)
