"""What every request passes: a trace id, who asks, the time it took, and an answer for every error."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from domain.errors import Absent, Fault
from service.auth.errors import Refusal, Unauthenticated
from service.auth.identity import Identity
from service.http.answers import failure
from service.http.call import IDENTITY, TRACE_ID
from service.http.cors import Cors
from service.http.statuses import INTERNAL, BadRequest, Failure, MethodNotAllowed, failure_of
from service.parts import Parts
from service.randomness import random_trace_id
from service.rate_limit import RateLimit

API = "/v1/"

_NAMED_BY_CLIENTS = frozenset({"ATTRIBUTE_UNKNOWN", "MEMBER_UNKNOWN", "PARAMETER_UNKNOWN"})

_log = structlog.get_logger(__name__)
_propagator = TraceContextTextMapPropagator()


def every_request(parts: Parts, cors: Cors, trace_of: Callable[[web.Request], str]) -> Middleware:
    """One answer and one record for each failure; the record says more than the answer, but nothing that was sent.

    `trace_of` says which trace the request belongs to: 32 hexadecimal digits.

    One middleware and not three, because each costs every request the making of two coroutines.
    """
    answered = parts.metrics.answered

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == hdrs.METH_OPTIONS and (preflight := cors.preflight(request)) is not None:
            return preflight
        started = time.perf_counter()
        trace_id = request[TRACE_ID] = trace_of(request)
        try:
            path = request.path
            if path.startswith(API) or path == API[:-1]:
                identity = parts.authenticator.remembered(request.headers.get(hdrs.AUTHORIZATION))
                request[IDENTITY] = identity or await _sign_in(request, parts)
                if not parts.rate_limit.off:
                    await _be_within(parts.rate_limit, request[IDENTITY].tenant_id)
            response = await handler(request)
        except web.HTTPException as error:
            problem = _of_the_router(error)
            response = failure(problem.status, problem.message, problem.errors, trace_id, problem.headers)
            _report(request, problem, None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and the log the cause
            known = failure_of(error)
            problem = known or Failure(500, "The service failed.", [{"code": INTERNAL, "message": "see its log"}])
            response = failure(problem.status, problem.message, problem.errors, trace_id, problem.headers)
            _report(request, problem, None if known and problem.status < 500 else error)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        answered(request.method, route, response.status, time.perf_counter() - started)
        return response

    return answer


async def _sign_in(request: web.Request, parts: Parts) -> Identity:
    """All of the API, unknown paths too, is for those with a token."""
    if len(request.headers.getall(hdrs.AUTHORIZATION, [])) > 1:
        raise Unauthenticated(Refusal.TOKEN_INVALID, "The request carries several Authorization headers.")
    return await parts.authenticator.authenticate(request.headers.get(hdrs.AUTHORIZATION))


async def _be_within(limit: RateLimit, tenant_id: str) -> None:
    if not await limit.allows(tenant_id):
        window = str(limit.window)
        raise BadRequest(Fault("RATE_LIMITED", f"try again within {window} s"), 429, {"Retry-After": window})


def trace_id_of(request: web.Request) -> str:
    """The trace that a W3C `traceparent` names, or a new one: 32 hexadecimal digits."""
    traceparent = request.headers.get("traceparent")
    if traceparent is not None:
        context = get_current_span(_propagator.extract({"traceparent": traceparent})).get_span_context()
        if context.is_valid:
            return f"{context.trace_id:032x}"
    return random_trace_id()


def _names_ours(shown: Mapping[str, Any]) -> bool:
    """Whether the field is one of the API's; a name that nobody knows is something that was sent."""
    return "field" in shown and shown["code"] not in _NAMED_BY_CLIENTS


def _known(field: str) -> str:
    """`attributes` for one of them: tenants name those."""
    return field.partition(".")[0]


def _of_the_router(error: web.HTTPException) -> Failure:
    known: Exception | None = None
    if isinstance(error, web.HTTPMethodNotAllowed):
        known = MethodNotAllowed(error.allowed_methods)
    elif error.status == 404:
        known = Absent()
    told = failure_of(known) if known is not None else None
    return told or Failure(error.status, error.reason, [{"code": "BODY_INVALID", "message": error.reason}])


def _report(request: web.Request, problem: Failure, cause: Exception | None) -> None:
    level = _log.error if problem.status >= 500 else _log.warning
    level(
        "request_failed",
        method=request.method,
        route=getattr(request.match_info.route.resource, "canonical", "unknown"),
        status=problem.status,
        codes=[shown["code"] for shown in problem.errors],
        fields=[_known(shown["field"]) for shown in problem.errors if _names_ours(shown)],
        trace_id=request[TRACE_ID],
        tenant_id=getattr(request.get(IDENTITY), "tenant_id", None),
        exc_info=cause if problem.status == 500 else None,
        cause=None if cause is None else f"{type(cause).__name__}: {cause}",
    )
