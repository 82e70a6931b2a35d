"""What every request passes: a trace id, who asks, the time it took, and an answer for every error."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from domain.errors import Absent, Fault
from service.auth.errors import Unauthenticated, malformed
from service.auth.identity import Identity
from service.http.answers import failure
from service.http.call import IDENTITY, TRACE_ID
from service.http.cors import Cors
from service.http.failure_log import FailureLog
from service.http.statuses import INTERNAL, BadRequest, Failure, MethodNotAllowed, failure_of
from service.parts import Parts
from service.randomness import random_trace_id
from service.rate_limit import RateLimit
from service.store.turns import ASKING

API = "/v1/"
_NONE: Final[Sequence[str]] = ()

_UNFORESEEN = Failure(500, "The service failed.", [{"code": INTERNAL, "message": "see its log"}])
_propagator = TraceContextTextMapPropagator()


def every_request(parts: Parts, cors: Cors, trace_of: Callable[[web.Request], str]) -> Middleware:
    """`trace_of` says which trace the request belongs to: 32 hexadecimal digits.

    One middleware and not three, because each costs every request the making of two coroutines.
    """
    answered, failures = parts.metrics.answered, FailureLog(parts.repeats)

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == hdrs.METH_OPTIONS and (preflight := cors.preflight(request)) is not None:
            return preflight
        started = time.perf_counter()
        trace_id = request[TRACE_ID] = trace_of(request)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        try:
            path = request.path
            if path.startswith(API) or path == API[:-1]:
                signed = request.headers.getall(hdrs.AUTHORIZATION, _NONE)
                identity = parts.authenticator.remembered(signed[0]) if len(signed) == 1 else None
                request[IDENTITY] = identity or await _sign_in(request, signed, parts)
                tenant_id = request[IDENTITY].tenant_id
                if ASKING.get() != tenant_id:  # setting it costs a get a tenth; most connections are of one tenant
                    ASKING.set(tenant_id)
                if not parts.rate_limit.off:
                    await _be_within(parts.rate_limit, tenant_id)
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and the log the cause
            known = _of_the_router(error) if isinstance(error, web.HTTPException) else failure_of(error)
            problem = known or _UNFORESEEN
            response = failure(*problem[:3], trace_id, problem.headers, problem.total)
            failures.report(request, route, trace_id, problem, None if known and problem.status < 500 else error)
        answered(request.method, route, response.status, time.perf_counter() - started)
        return response

    return answer


async def _sign_in(request: web.Request, signed: Sequence[str], parts: Parts) -> Identity:
    """All of the API, unknown paths too, is for those with a token. `signed`: each Authorization header."""
    limit = parts.anonymous_limit
    if limit.off:
        return await _signed_in(signed, parts)
    address = limit.address_of(request.remote, request.headers.getall("X-Forwarded-For", _NONE))
    if left := limit.seconds_left(address):
        raise _too_often(left)
    try:
        return await _signed_in(signed, parts)
    except Unauthenticated:
        limit.count(address)
        raise


async def _signed_in(signed: Sequence[str], parts: Parts) -> Identity:
    if len(signed) > 1:
        raise malformed("The request carries several Authorization headers.")
    return await parts.authenticator.authenticate(signed[0] if signed else None)


async def _be_within(limit: RateLimit, tenant_id: str) -> None:
    if left := await limit.seconds_left(tenant_id):
        raise _too_often(left)


def _too_often(left: float) -> BadRequest:
    seconds = str(math.ceil(left))
    return BadRequest(Fault("RATE_LIMITED", f"try again in {seconds} s"), 429, {"Retry-After": seconds})


def trace_id_of(request: web.Request) -> str:
    """The trace that a W3C `traceparent` names, or a new one: 32 hexadecimal digits."""
    traceparent = request.headers.get("traceparent")
    if traceparent is not None:
        context = get_current_span(_propagator.extract({"traceparent": traceparent})).get_span_context()
        if context.is_valid:
            return f"{context.trace_id:032x}"
    return random_trace_id()


def _of_the_router(error: web.HTTPException) -> Failure:
    known: Exception | None = None
    if isinstance(error, web.HTTPMethodNotAllowed):
        known = MethodNotAllowed(error.allowed_methods)
    elif error.status == 404:
        known = Absent()
    told = failure_of(known) if known is not None else None
    return told or Failure(error.status, error.reason, [{"code": "BODY_INVALID", "message": error.reason}])
