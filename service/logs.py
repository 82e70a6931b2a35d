"""Structured logs on stderr: one record an event, JSON or for the eye. Never tokens, bodies or submitted values."""

import logging
import sys

import orjson
import structlog

from service.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Also takes in what libraries log by the standard module."""
    if settings.log_format == "json":
        renderer: structlog.types.Processor = structlog.processors.JSONRenderer(
            serializer=lambda record, **_: orjson.dumps(record, default=str).decode()
        )
        traces: structlog.types.Processor = structlog.processors.format_exc_info
    else:
        # structlog's own choice shows local variables: tokens and bodies among them.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        traces = structlog.stdlib.PositionalArgumentsFormatter()
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, traces, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    logging.getLogger("asyncio").setLevel(max(logging.WARNING, root.level))
