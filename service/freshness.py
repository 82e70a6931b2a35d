"""Reading what was written: a read waits, in memory, until the read model has reached what its tenant was told of."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from logging import ERROR, INFO

import structlog

from domain.errors import Fault, Invalid
from projections.database import Unavailable
from projections.follower_state import FollowerState
from projections.lease import Leases
from projections.read_models import FOLLOWER, ReadModels
from service.store.feed import Feed
from service.store.log import Log
from service.store.watermark import Watermark

LOOK_SECONDS = 1.0
MAX_TENANTS = 100_000
"""Tenants whose last write is remembered; beyond that every tenant's reads wait for the oldest of these writes."""

_log = structlog.get_logger(__name__)


class NotFresh(Exception):
    """The read model did not reach the position in time; a stale answer is not given."""


class Freshness:
    """Knows the read models that are current, how far they are, and how far each tenant's writes went."""

    def __init__(
        self, log: Log, feed: Feed, leases: Leases, models: Callable[[int], ReadModels], timeout: float
    ) -> None:
        self._log, self._feed, self._leases, self._make = log, feed, leases, models
        self._timeout = timeout
        self._acknowledged: OrderedDict[str, int] = OrderedDict()
        self._least = feed.head.value
        """No read is older than this: what was acknowledged before this process began, or by tables of before."""
        self._epoch = 0
        """Of whoever moved the read models last; what is heard of earlier holders is past."""
        self.fault = ""
        """Why nothing is read from the read models, and which command mends it; empty while they are of this log."""
        self._doubts = self._settled = 0
        self.hurry: Callable[[], None] = lambda: None
        """Called when a read has to wait; whoever builds the read models in this process puts its own here."""
        self.position = Watermark()
        self.models = models(1)
        self.state: FollowerState | None = None

    def acknowledge(self, tenant_id: str, position: int) -> None:
        """The tenant was told of this write."""
        if position > self._acknowledged.get(tenant_id, 0):
            self._acknowledged[tenant_id] = position
            self._acknowledged.move_to_end(tenant_id)
        if len(self._acknowledged) > MAX_TENANTS:
            self._least = max(self._least, self._acknowledged.popitem(last=False)[1])

    @property
    def is_settled(self) -> bool:
        """Whether there are read models as new as what this process found in the log when it began; or none will come
        before somebody mends what is at fault."""
        return self.position.value >= self._least or bool(self.fault)

    def heard_enough(self, tenant_id: str, minimum: int | None) -> bool:
        """Whether what this process has heard of the log is as new as what `current` gives."""
        feed = self._feed
        return feed.hears and feed.head.value >= self._wanted(tenant_id, minimum) and not self.fault

    async def current(self, tenant_id: str, minimum: int | None) -> ReadModels:
        """The read models, no older than the tenant's last write here and than `minimum`. Raises NotFresh, Invalid."""
        if self._doubts > self._settled:
            await self.look()
        if self.fault:
            raise NotFresh
        if minimum is not None and minimum > self._feed.head.value and minimum > await self._log.head():
            raise Invalid([Fault("POSITION_UNKNOWN", "is beyond the end of the log", "Ims-Min-Position")])
        wanted = self._wanted(tenant_id, minimum)
        if self.position.value < wanted:
            self.hurry()
            if not await self.position.reach(wanted, self._timeout):
                raise NotFresh
        return self.models

    def _wanted(self, tenant_id: str, minimum: int | None) -> int:
        return max(self._least, self._acknowledged.get(tenant_id, 0), minimum or 0)

    def moved(self, epoch: int, generation: int, position: int) -> None:
        """A follower, here or elsewhere, has committed so far."""
        if epoch < self._epoch:
            return
        self._epoch = epoch
        if generation != self.models.generation:
            self._begin(generation, position)
        elif position > self.position.value:
            self.position.set(position)

    def doubt(self) -> None:
        """The database may have crashed, and then lost the last that was derived: look before the next read."""
        self._doubts += 1

    def heard(self, word: str) -> None:
        """A bell of another process: `epoch generation position`."""
        with suppress(ValueError):
            epoch, generation, position = map(int, word.split())
            self.moved(epoch, generation, position)

    async def run(self) -> None:
        """Look once a second, for bells can be lost."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                _log.warning("read_models_unavailable", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        doubts, known = self._doubts, (self._epoch, self.models.generation, self.position.value)
        state = self.state = await self._leases.state(FOLLOWER)
        self._settled = max(self._settled, doubts)
        if state is None:
            return
        fault = await self._leases.disagreement(state)
        if fault != self.fault:
            _log.log(ERROR if fault else INFO, "read_models_of_another_log", problem=fault or None)
        self.fault = fault
        if fault:
            return
        epoch, generation, position = known
        if state.epoch < epoch or (state.generation == generation and state.position < position):
            self._epoch = state.epoch
            self._begin(state.generation, state.position)
        else:
            self.moved(state.epoch, state.generation, state.position)

    def _begin(self, generation: int, position: int) -> None:
        """Other tables, or tables that went back: no read is older than those of before could be."""
        self.models = self._make(generation)
        self._least = max(self._least, self.position.value)
        self.position.set(position)
