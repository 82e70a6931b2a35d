"""Spans of this service. Each is written when it is over; what joins them is in the event, so followers join in too.

A command's span has the id that the event's `traceparent` names. Nothing that was submitted is a name or an attribute.
"""

from collections.abc import Mapping
from typing import Protocol

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer
from opentelemetry.util.types import AttributeValue

from domain.event import ActEvent


class Ids(Protocol):
    """Where the tracer gets ids from; the next span's can be chosen."""

    chosen: int | None


class Spans:
    def __init__(self, tracer: Tracer, ids: Ids) -> None:
        self.tracer, self._ids = tracer, ids

    def add(
        self,
        name: str,
        parent: Context | None,
        began: int,
        ended: int,
        attributes: Mapping[str, AttributeValue],
        *,
        id: int | None = None,
        failed: bool = False,
    ) -> None:
        """What took from `began` to `ended` (nanoseconds since 1970). `parent`: None for the current span."""
        self._ids.chosen = id
        try:
            span = self.tracer.start_span(name, parent, kind=SpanKind.INTERNAL, attributes=attributes, start_time=began)
        finally:
            self._ids.chosen = None
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)


def span_id_of(event: ActEvent) -> int:
    """As `traceparent` of the published event has it."""
    return event.command_id.int >> 64


def context_of(event: ActEvent) -> Context:
    """To be a child of the command that caused this event.

    Whether that one was sampled is not known any more; a sampler that goes by the trace's id decides the same again.
    """
    context = SpanContext(int(event.trace_id, 16), span_id_of(event), is_remote=True, trace_flags=TraceFlags(1))
    return trace.set_span_in_context(NonRecordingSpan(context), Context())
