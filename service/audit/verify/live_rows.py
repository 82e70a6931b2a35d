"""The rows of the live read models beside the log: all of them on the way through it, then the aggregates in doubt by
themselves, and at last that there are no others."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from projections.follower_state import FollowerState
from projections.lease import Leases
from projections.read_models import FOLLOWER
from service.audit.verify.aggregate_walk import AggregateWalk
from service.audit.verify.comparison import Comparison
from service.audit.verify.findings import Findings
from service.audit.verify.model_tables import tables_of
from service.audit.verify.report import Summary
from service.audit.verify.row_walk import RowWalk
from service.audit.verify.told import Row
from service.audit.verify.totals import Totals, more
from service.engines import Engine
from service.generations import read_models
from service.progress import progress
from service.store.log import Plain

_NOWHERE: Final = 0


class LiveRows:
    """`state` of the follower before anything was read; None where it has no read models of this log: then it is the
    log alone that is looked at."""

    def __init__(self, engine: Engine, leases: Leases, findings: Findings, state: FollowerState | None) -> None:
        self._engine, self._leases, self._findings = engine, leases, findings
        self._models = read_models(engine, 1 if state is None else state.generation)
        self._compared = state is not None
        self._upto = _NOWHERE if state is None else state.position
        self._tables = tables_of(self._models)
        self._walk = RowWalk(engine.database, self._tables, self._upto)

    async def past(self, events: Sequence[Plain], first: int, last: int) -> Sequence[Row]:
        return await self._walk.past(events, first, last) if self._compared else ()

    async def part(self, events: Sequence[Plain], past: Sequence[Row]) -> None:
        if self._compared:
            await self._walk.part(events, past)

    async def end(self, summary: Summary) -> None:
        comparison = Comparison(self._engine.database, self._tables, self._upto) if self._compared else None
        aggregates = AggregateWalk(self._findings, self._engine.log, comparison, self._position)
        if comparison is None:
            await self._every(aggregates, summary)
            return
        await self._walk.end()
        if self._walk.given_up:
            await self._every(aggregates, summary)
        else:
            with progress("aggregates in doubt", len(self._walk.doubts)) as done:
                await aggregates.some(_ids(self._walk.doubts), done)
            comparison.matched += self._walk.matched
        totals = Totals(self._findings, self._engine.log, self._engine.database, self._models, self._tables)
        await totals.check_counts()
        rows = await totals.rows(self._upto)
        if more(rows, comparison.matched) and not self._walk.given_up:
            comparison.matched.clear()
            await self._every(aggregates, summary)
        if more(rows, comparison.matched):
            await totals.check_owners()
        summary.rows = rows.total()

    async def _every(self, aggregates: AggregateWalk, summary: Summary) -> None:
        with progress("events by aggregate", summary.events) as done:
            await aggregates.every(done)

    async def _position(self) -> int:
        state = await self._leases.state(FOLLOWER) if self._compared else None
        return 0 if state is None else state.position


def _ids(doubts: Iterable[str]) -> Iterator[UUID]:
    """A row that somebody made may name what is no id; it is found among those that no event made."""
    for id in sorted(doubts):
        with suppress(ValueError):
            yield UUID(id)
