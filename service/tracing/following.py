"""A follower's target whose batches are spans, in the traces of the commands that they come from."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from domain.event import Recorded
from projections.follower import Placed, Target
from projections.lease import Lease
from service.tracing.spans import Spans, context_of

RECENT = timedelta(minutes=5)
"""Older events are not traced: catching up with all of history belongs to nobody's request."""

_F = TypeVar("_F", bound=Placed)


def traced(name: str, target: Target[_F], spans: Spans | None) -> Target[_F]:
    return target if spans is None else TracedTarget(name, target, spans)


class TracedTarget(Generic[_F]):
    def __init__(self, name: str, target: Target[_F], spans: Spans) -> None:
        self._name, self._target, self._spans = name, target, spans

    async def ready(self) -> None:
        await self._target.ready()

    async def begin(self, lease: Lease) -> int:
        return await self._target.begin(lease)

    async def commit(self, lease: Lease, position: int, batch: Sequence[_F]) -> int:
        began = time.time_ns()
        taken = await self._target.commit(lease, position, batch)
        ended, recent = time.time_ns(), datetime.now(UTC) - RECENT
        for fact in batch[:taken]:
            if isinstance(fact, Recorded) and fact.recorded_at > recent:
                about = {"ims.position": fact.position, "ims.batch.events": taken}
                self._spans.add(self._name, context_of(fact.event), began, ended, about)
        return taken

    async def rest(self, lease: Lease, position: int) -> None:
        await self._target.rest(lease, position)

    async def leave(self, lease: Lease) -> None:
        await self._target.leave(lease)
