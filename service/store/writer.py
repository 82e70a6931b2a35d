"""Group commit: whatever waits is committed in one transaction, each command with a result of its own. Where more wait
than one transaction takes, tenants take turns.

While one group is being synced the next gathers; a lone command is not delayed by a timer. When the outcome of a commit
is not known, the same group is sent again until it is, or until the deadline.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from domain.event import ActEvent, Recorded
from projections.database import Unavailable
from service.store.errors import Conflict, OutcomeUnknown, Overloaded, Repeated, Unreachable
from service.store.feed import Feed
from service.store.gate import Gate
from service.store.log import Entry, Log, Outcome, Verdict
from service.store.mapper import entry_of
from service.store.turns import Lines

MAX_WAITING = 10_000
"""Commands that may wait for the log in one process; beyond that the tenant of which most wait is refused."""
MAX_GROUP = 256
"""Events in one transaction."""
RETRY_SECONDS = 0.1
NOT_IN_TIME = "the log could not be reached before the deadline; nothing was sent"

_log = structlog.get_logger(__name__)


def _nobody(_events: int, _waited: float, _took: float) -> None:
    """Nobody counts."""


@dataclass(eq=False, slots=True)
class Waiting:
    event: ActEvent
    entry: Entry
    deadline: float
    done: asyncio.Future[Recorded]
    sent: bool = False
    """It may have reached the database."""

    def expire(self) -> None:
        """The deadline is there, and nothing is known."""
        self.refuse(OutcomeUnknown() if self.sent else Unreachable(NOT_IN_TIME))

    def refuse(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Writer:
    """One per process, made in its event loop. `timeout`: seconds until the outcome of a command is unknown.

    `grouped` is called after each group with its size, how long its oldest command had waited, and how long it took.
    """

    def __init__(
        self, log: Log, feed: Feed, timeout: float, grouped: Callable[[int, float, float], None] = _nobody
    ) -> None:
        self.gate = Gate()
        self._log = log
        self._feed = feed
        self._timeout = timeout
        self._grouped = grouped
        self._loop = asyncio.get_running_loop()
        self._queue: Lines[Waiting] = Lines()
        self._untold: deque[Waiting] = deque()
        """Who may still have to be told that the deadline is there, oldest first."""
        self._timer: asyncio.TimerHandle | None = None
        self._wanted = asyncio.Event()
        self._closing = False

    async def append(self, event: ActEvent, *, repeatable: bool) -> Recorded:
        """Returns once the event is durable.

        Raises Conflict, Repeated, Overloaded, WritesRefused, Unavailable (nothing happened) or OutcomeUnknown.
        """
        if self.gate.refused is not None:
            self.gate.check()
        if self._closing:
            raise Overloaded("the writer ends")
        if len(self._queue) >= MAX_WAITING:
            self._make_room(event.tenant_id)
        loop = self._loop
        waiting = Waiting(
            event, entry_of(event, repeatable=repeatable), loop.time() + self._timeout, loop.create_future()
        )
        self._queue.put(event.tenant_id, waiting)
        self._wanted.set()
        self._untold.append(waiting)
        if self._timer is None:
            self._timer = loop.call_at(waiting.deadline, self._expire)
        return await waiting.done

    def _make_room(self, tenant_id: str) -> None:
        """Raises Overloaded for a tenant of which no other has more that wait; else one of that other's is refused."""
        most = self._queue.longest()
        full = f"{len(self._queue)} commands wait for the log"
        if self._queue.of(tenant_id) >= self._queue.of(most):
            raise Overloaded(full)
        self._queue.drop_last(most).refuse(Overloaded(full))

    def _expire(self) -> None:
        """One timer for all: they have the same time-out, so whoever came first is first to be told."""
        untold, now = self._untold, self._loop.time()
        while untold and (untold[0].done.done() or untold[0].deadline <= now):
            untold.popleft().expire()
        self._timer = self._loop.call_at(untold[0].deadline, self._expire) if untold else None

    async def run(self) -> None:
        """Commit groups until `close`; what waits by then is still committed."""
        while self._queue or not self._closing:
            if not self._queue:
                self._wanted.clear()
                await self._wanted.wait()
                continue
            group = self._gather()
            began, size = self._loop.time(), len(group)
            waited = began - (min(waiting.deadline for waiting in group) - self._timeout)
            try:
                await self._commit(group)
            except Exception as error:  # noqa: BLE001 - told to those who wait
                _log.exception("group_failed", events=len(group))
                for waiting in group:
                    waiting.refuse(error)
            self._grouped(size, waited, self._loop.time() - began)

    def close(self) -> None:
        self._closing = True
        self._wanted.set()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def _gather(self) -> list[Waiting]:
        group: list[Waiting] = []
        later: list[tuple[str, Waiting]] = []
        aggregates, commands = set(), set()
        while len(group) < MAX_GROUP and (found := self._queue.take()) is not None:
            waiting = found[1]
            entry = waiting.entry
            if entry.originator_id.int in aggregates or entry.command_id in commands:
                later.append(found)
                continue
            group.append(waiting)
            aggregates.add(entry.originator_id.int)
            if entry.command_id is not None:
                commands.add(entry.command_id)
        for tenant_id, waiting in reversed(later):
            self._queue.put_back(tenant_id, waiting)
        return group

    async def _commit(self, group: list[Waiting]) -> None:
        outcomes = await self.outcomes(group)
        if outcomes is None:
            return
        recorded = []
        for waiting, outcome in zip(group, outcomes, strict=True):
            if outcome.verdict is Verdict.APPENDED:
                assert outcome.recorded_at is not None  # noqa: S101 - for the type checker
                fact = Recorded(waiting.event, outcome.position, outcome.recorded_at, waiting.entry.digest)
                recorded.append(fact)
                if not waiting.done.done():
                    waiting.done.set_result(fact)
            elif outcome.verdict is Verdict.CONFLICT:
                waiting.refuse(Conflict())
            else:
                waiting.refuse(Repeated(outcome.position))
        self._feed.offer(recorded, sum(len(waiting.entry.state) for waiting in group))
        if recorded:
            self.gate.recorded(recorded[-1].recorded_at.timestamp())
        while self._untold and self._untold[0].done.done():
            self._untold.popleft()

    async def outcomes(self, group: list[Waiting]) -> list[Outcome] | None:
        """The log's answer, or None after everyone in the group was told that there is none.

        Each in the group has a deadline of its own; who was told that nothing was sent leaves it.
        """
        deadline = max(waiting.deadline for waiting in group)
        sent = False

        def sending() -> None:
            nonlocal sent
            sent = True
            for waiting in group:
                waiting.sent = True

        while True:
            if not sent:
                group[:] = [waiting for waiting in group if not waiting.done.done()]
            if not group:
                return None
            entries = [waiting.entry for waiting in group]
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._log.append(entries, sending)
            except Unavailable as error:
                problem: Exception = error
            except TimeoutError:
                problem = Unreachable(NOT_IN_TIME)
            except Exception as error:
                if len(group) == 1:
                    raise
                _log.warning("group_refused", events=len(group), error=type(error).__name__)
                for waiting in group:  # one of them is at fault, and only that one is to fail
                    await self._commit_alone(waiting)
                return None
            if self._loop.time() + RETRY_SECONDS >= deadline:
                cause = f"{type(problem).__name__}: {problem}".removesuffix(": ")
                _log.warning("append_given_up", events=len(group), sent=sent, error=cause)
                for waiting in group:
                    waiting.refuse(OutcomeUnknown() if sent else problem)
                return None
            await asyncio.sleep(RETRY_SECONDS)

    async def _commit_alone(self, waiting: Waiting) -> None:
        try:
            await self._commit([waiting])
        except Exception as error:  # noqa: BLE001 - told to the one who waits
            waiting.refuse(error)
