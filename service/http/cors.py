"""Calls from pages of other origins, as the deployment allows them (Fetch Standard, 3.2)."""

from aiohttp import hdrs, web

from service.http.answers import COMMON

ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS = (
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Ims-Min-Position, "
    "Last-Event-ID, traceparent"
)
EXPOSED_HEADERS = (
    "ETag, Location, Ims-Position, Ims-Total, Ims-More, Link, Content-Disposition, Retry-After, WWW-Authenticate"
)
PREFLIGHT_SECONDS = 600
"""How long a browser may remember the answer to a preflight."""


class Cors:
    """Answers preflights before anyone is asked for a token, and marks every answer to an allowed origin."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self.origins = origins

    def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to a preflight; None where the request is none."""
        if request.method != hdrs.METH_OPTIONS or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
            return None
        headers = dict(COMMON)
        if self._allowed(request) is not None:
            headers |= {
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: ALLOWED_METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: ALLOWED_HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: str(PREFLIGHT_SECONDS),
            }
        return web.Response(status=204, headers=headers)

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        origin = self._allowed(request)
        if origin is not None:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED_HEADERS

    def _allowed(self, request: web.Request) -> str | None:
        origin = request.headers.get(hdrs.ORIGIN)
        return origin if origin is not None and (origin in self.origins or "*" in self.origins) else None


def allow_origins(app: web.Application, origins: tuple[str, ...]) -> Cors:
    cors = Cors(origins)
    if origins:
        app.on_response_prepare.append(cors.mark)
    return cors
