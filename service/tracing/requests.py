"""The span of a request. The URL is no part of it: a query is something that was submitted."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.http.middlewares import API, trace_id_of
from service.metrics import METHODS
from service.tracing.spans import Spans

_propagator = TraceContextTextMapPropagator()


def traced_requests(spans: Spans, middleware: Middleware) -> Middleware:
    """Goes around the other middleware. opentelemetry-instrumentation-aiohttp-server would record the whole URL."""

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(API):
            return await middleware(request, handler)
        method = request.method if request.method in METHODS else "_OTHER"
        route = getattr(request.match_info.route.resource, "canonical", "unknown")
        with spans.tracer.start_as_current_span(
            f"{method} {route}",
            context=_propagator.extract(request.headers, Context()),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "http.route": route},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            response = await middleware(request, handler)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                span.set_status(Status(StatusCode.ERROR))
            return response

    return trace


def current_trace_id(request: web.Request) -> str:
    """The trace of the request's span, or as it is without one."""
    context = get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else trace_id_of(request)
