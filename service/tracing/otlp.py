"""Where traces go: OpenTelemetry's SDK and exporter. Imported only where they are wanted, for the time and memory."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from service.tracing.spans import Spans

FLUSH_SECONDS = 2.0
"""What is still to be sent has so long at the end; a collector that is away does not keep the process."""


class _Ids(RandomIdGenerator):
    """Random ids, unless the next span's is chosen."""

    chosen: int | None = None

    def generate_span_id(self) -> int:
        return self.chosen or super().generate_span_id()


@asynccontextmanager
async def exporting(endpoint: str) -> AsyncIterator[Spans]:
    """What else there is to set, the SDK reads from its own variables, `OTEL_TRACES_SAMPLER` among them."""
    ids = _Ids()
    resource = Resource({"service.name": "ims"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(id_generator=ids, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    try:
        yield Spans(provider.get_tracer("ims"), ids)
    finally:
        await _flush(provider)


async def _flush(provider: TracerProvider) -> None:
    flushed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def shut_down() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # the loop may have ended meanwhile
            loop.call_soon_threadsafe(flushed.set)

    # A thread that the interpreter does not wait for, as it would for one of the loop's own.
    threading.Thread(target=shut_down, daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            await flushed.wait()
