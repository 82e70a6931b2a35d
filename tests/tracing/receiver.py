"""A collector of traces that speaks OTLP over HTTP and keeps what it gets."""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """Ids are hexadecimal; `parent` is empty for the first of a trace."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool


@dataclass
class Collector:
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    server: TestServer = field(init=False)

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/traces", self._take)
        self.server = TestServer(app)
        await self.server.start_server()

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    def of(self, trace: str) -> dict[str, Span]:
        """The spans of one trace by their names."""
        return {span.name: span for span in self.spans if span.trace == trace}

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw.append(body)
        sent = ExportTraceServiceRequest.FromString(body)
        self.spans += [
            Span(
                span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(),
                {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes},
                span.status.code == span.status.STATUS_CODE_ERROR,
            )
            for resource in sent.resource_spans for scope in resource.scope_spans for span in scope.spans
        ]  # fmt: skip
        return web.Response(content_type="application/x-protobuf")
