"""A writer whose commands and groups are spans."""

import time
from collections.abc import Callable

from domain.event import ActEvent, Recorded
from service.store.feed import Feed
from service.store.log import Log, Outcome
from service.store.writer import Waiting, Writer
from service.tracing.spans import Spans, context_of, span_id_of


class TracedWriter(Writer):
    def __init__(
        self, log: Log, feed: Feed, timeout: float, grouped: Callable[[int, float, float], None], spans: Spans
    ) -> None:
        super().__init__(log, feed, timeout, grouped)
        self._spans = spans

    async def append(self, event: ActEvent, *, repeatable: bool) -> Recorded:
        began = time.time_ns()
        name = f"command {event.TOPIC}"
        try:
            fact = await super().append(event, repeatable=repeatable)
        except Exception as error:
            self._spans.add(name, None, began, time.time_ns(), {"error.type": type(error).__name__}, failed=True)
            raise
        self._spans.add(name, None, began, time.time_ns(), {"ims.position": fact.position}, id=span_id_of(event))
        return fact

    async def outcomes(self, group: list[Waiting]) -> list[Outcome] | None:
        began = time.time_ns()
        try:
            return await super().outcomes(group)
        finally:
            ended, size = time.time_ns(), len(group)
            for waiting in group:
                self._spans.add("batch", context_of(waiting.event), began, ended, {"ims.batch.events": size})
