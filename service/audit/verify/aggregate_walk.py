"""Aggregates by themselves: contents as recorded, versions without gaps, rows as events say; every fault is named."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from domain.event import Recorded
from projections.leaves import microseconds_of
from service.audit.orders import ORDERS
from service.audit.verify.comparison import Comparison, Difference
from service.audit.verify.contents import is_whole, read
from service.audit.verify.erasures import Erasures
from service.audit.verify.findings import Fault, Findings
from service.audit.verify.folds import Told
from service.store.log import Log, Row

PART: Final = 5_000
"""Events looked at together. An aggregate is held in memory whole."""
LOOKS: Final = 100
LOOK_SECONDS: Final = 0.05
"""How often, and how long after each other, a row that does not fit is looked at while it is still being written."""

ReadPosition = Callable[[], Coroutine[Any, Any, int]]


class AggregateWalk:
    """`comparison` is None where there are no read models of this log; `position`: how far those that there are have
    come."""

    def __init__(self, findings: Findings, log: Log, comparison: Comparison | None, position: ReadPosition) -> None:
        self._findings, self._log, self._comparison, self._position = findings, log, comparison, position
        self.aggregates = 0

    async def every(self, done: Callable[[int], None]) -> None:
        """All that the log has. `done` is told how many events were looked at."""
        waiting: list[Row] = []
        count = 0
        coming = asyncio.create_task(self._log.by_aggregate((UUID(int=0), -1), PART))
        try:
            while rows := await coming:
                last = rows[-1]
                coming = asyncio.create_task(
                    self._log.by_aggregate((last.originator_id, last.originator_version), PART)
                )
                count += len(rows)
                waiting += rows
                whole = len(waiting)  # but for the last aggregate, which may go on
                while whole and waiting[whole - 1].originator_id == last.originator_id:
                    whole -= 1
                await self._judge(waiting[:whole])
                waiting = waiting[whole:]
                done(count)
        finally:
            coming.cancel()
        await self._judge(waiting)

    async def some(self, ids: Iterable[UUID], done: Callable[[int], None]) -> None:
        """`done` is told how many aggregates were looked at."""
        waiting: list[Row] = []
        for count, id in enumerate(ids, start=1):
            waiting += await self._log.stream(id)
            if len(waiting) >= PART:
                await self._judge(waiting)
                waiting = []
                done(count)
        await self._judge(waiting)

    async def _judge(self, rows: Sequence[Row]) -> None:
        position = await self._position()
        aggregates: list[list[Told]] = []
        for _, group in groupby(rows, key=_aggregate):
            self.aggregates += 1
            events = self._sound(list(group), position)
            if events:
                aggregates.append(events)
        if self._comparison is None:
            return
        for difference in await self._comparison.of(aggregates):
            await self._look_again(self._comparison, difference)

    def _sound(self, rows: Sequence[Row], position: int) -> list[Told]:
        """The events up to the read models' position, but for what was erased by order; none where one of them is at
        fault: then the rows are not."""
        events, faults, erasures = [], list(_gaps(rows)), Erasures(self._findings)
        for row in rows:
            if is_whole(row):
                erasures.whole(row)
            else:
                erasures.altered(row)
                if row.state is None:
                    continue
            found = read(row)
            if isinstance(found, Fault):
                faults.append(found)
            elif row.position <= position:
                events.append(_told(row, found))
        unordered = erasures.end()
        self._findings.add(unordered or faults)
        # What was erased by an order that the read models have not met yet still stands in them.
        ahead = any(row.topic in ORDERS and row.position > position for row in rows)
        return [] if faults or unordered or ahead else events

    async def _look_again(self, comparison: Comparison, difference: Difference) -> None:
        """What was written meanwhile is no fault: events and rows are compared at one position."""
        for _ in range(LOOKS):
            before = await self._position()
            rows = await self._log.stream(difference.aggregate)
            events = self._sound(rows, before)
            found = await comparison.of([events], again=True) if events else []
            if not found:
                return
            if not any(row.position > before for row in rows) or await self._position() == before:
                self._findings.add(one.fault for one in found)
                return
            await asyncio.sleep(LOOK_SECONDS)
        self._findings.add([difference.fault])


def _aggregate(row: Row) -> UUID:
    return row.originator_id


def _told(row: Row, fact: Recorded) -> Told:
    return Told(
        row.originator_id.hex, row.subject_id.hex, row.position, row.originator_version,
        microseconds_of(row.recorded_at), row.topic, vars(fact.event),
    )  # fmt: skip


def _gaps(rows: Sequence[Row]) -> Iterator[Fault]:
    expected = 0
    for row in rows:
        version = row.originator_version
        if version > expected:
            gone = f"{expected}" if version == expected + 1 else f"{expected} to {version - 1}"
            yield Fault("VERSION_MISSING", f"aggregate {row.originator_id} lacks its version {gone}")
        elif version < expected:
            yield Fault("VERSION_UNKNOWN", f"aggregate {row.originator_id} has a version {version}")
        expected = version + 1
