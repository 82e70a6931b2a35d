"""Whether somebody collects traces."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.settings import Settings
from service.tracing.spans import Spans


@asynccontextmanager
async def traces(settings: Settings) -> AsyncIterator[Spans | None]:
    """None where nobody does; the exporter is not even imported then."""
    if not settings.otlp_endpoint:
        yield None
        return
    from service.tracing.otlp import exporting  # noqa: PLC0415 - only where it is wanted

    async with exporting(settings.otlp_endpoint) as spans:
        yield spans
