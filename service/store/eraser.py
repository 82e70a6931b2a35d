"""The events that erase, one by one beside the writer's groups; an unknown outcome is found out in the same way."""

import asyncio
from collections.abc import Sequence

from domain.event import ActEvent, Recorded
from projections.database import Unavailable
from service.store.errors import Conflict, OutcomeUnknown, Repeated, Unreachable
from service.store.feed import Feed
from service.store.gate import Gate
from service.store.log import Log, Redaction, Verdict
from service.store.mapper import entry_of
from service.store.writer import NOT_IN_TIME, RETRY_SECONDS


class Eraser:
    """`timeout`: seconds until the outcome of an erasure is unknown."""

    def __init__(self, log: Log, feed: Feed, timeout: float, gate: Gate) -> None:
        self._log, self._feed, self._timeout, self._gate = log, feed, timeout, gate

    async def erase(self, event: ActEvent, redactions: Sequence[Redaction], *, repeatable: bool) -> Recorded:
        """Returns once the event is durable and the content gone from the log.

        Raises Conflict, Repeated, WritesRefused, Unavailable (nothing happened) or OutcomeUnknown.
        """
        self._gate.check()
        entry = entry_of(event, repeatable=repeatable)
        deadline = asyncio.get_running_loop().time() + self._timeout
        sent = False

        def sending() -> None:
            nonlocal sent
            sent = True

        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    outcome = await self._log.erase(entry, redactions, sending)
                break
            except Unavailable as error:
                problem: Exception = error
            except TimeoutError:
                problem = Unreachable(NOT_IN_TIME)
            if asyncio.get_running_loop().time() + RETRY_SECONDS >= deadline:
                raise OutcomeUnknown if sent else problem
            await asyncio.sleep(RETRY_SECONDS)
        if outcome.verdict is Verdict.CONFLICT:
            raise Conflict
        if outcome.verdict is Verdict.REPEATED:
            raise Repeated(outcome.position)
        assert outcome.recorded_at is not None  # noqa: S101 - for the type checker
        self._gate.recorded(outcome.recorded_at.timestamp())
        fact = Recorded(event, outcome.position, outcome.recorded_at, entry.digest)
        self._feed.offer([fact])
        return fact
