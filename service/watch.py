"""Whether the database and the clocks still are as they must be: looked at before the start, and again and again.

What is found closes the gate that the write path passes, and stands in `/status` and in the metrics.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from projections.database import Unavailable
from service.store.conditions import Condition, Finding, Weight, require
from service.store.errors import ClockBehind, ReadOnly, Unsuitable, WritesRefused
from service.store.gate import Gate
from service.store.log import Clocks, Log
from service.store.postgres_conditions import PRIMARY

WATCH_SECONDS: Final = 5.0
"""Between two looks, where nothing makes a process look sooner."""
LEAST_SECONDS: Final = 1.0
"""Between two looks in any case."""
AHEAD_SECONDS: Final = 1.0
"""What the newest event may be ahead of the database's clock without a word."""
OFFSET_SECONDS: Final = 5.0
"""What this process's clock may differ from the database's without a word."""

_WRONG = (
    "Look at the clock of the database's machine first: where it is behind, set it right, and writes go on by "
    "themselves. Where it was ahead while those events were recorded, set IMS_MAX_CLOCK_LEAD above the lead, "
    "everywhere, and start again: times then go on from the newest event's until the clock has caught up."
)
CLOCK = Condition("clock", "at most IMS_MAX_CLOCK_LEAD ahead of the database's clock", _WRONG, Weight.WARNS)
CLOCK_LIMIT = Condition(CLOCK.name, CLOCK.must, CLOCK.do, Weight.REFUSES_WRITES)
OWN_CLOCK = Condition(
    "own_clock",
    f"within {OFFSET_SECONDS:g} s of the database's",
    "Set the clock of this process's machine right: tokens are checked, and answers dated, by it.",
    Weight.WARNS,
)

Look = Callable[[], Awaitable[Sequence[Finding]]]

_log = structlog.get_logger(__name__)


class Watch:
    """`look` measures what is the engine's own. `max_lead`: seconds that the log's end may be ahead of the clock."""

    def __init__(self, look: Look, log: Log, gate: Gate, max_lead: float) -> None:
        self.lead = 0.0
        """Seconds that the newest event is ahead of the database's clock; negative where it is behind, as it should."""
        self.offset = 0.0
        """Seconds that this process's clock is behind the database's."""
        self._look, self._log, self._gate, self._max_lead = look, log, gate, max_lead
        self._findings: dict[str, Finding] = {}

    @property
    def refusal(self) -> str:
        """Why nothing is recorded; empty while all is well."""
        return "" if self._gate.refused is None else f"writes are refused: {self._gate.refused[1]}"

    @property
    def unmet(self) -> Mapping[str, bool]:
        """For each condition by its name whether it is not met."""
        return {name: not finding.met for name, finding in self._findings.items()}

    def status(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "met": finding.met, "found": finding.found}
            | ({} if finding.met else {"must": finding.condition.must, "do": finding.condition.do})
            for name, finding in self._findings.items()
        ]

    async def begin(self) -> None:
        """Look once. Raises Unsuitable, Unavailable."""
        findings = await self._measured()
        require(findings)
        self._take(findings)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LEAST_SECONDS)
            await self._gate.suspicion(WATCH_SECONDS - LEAST_SECONDS)
            try:
                self._take(await self._measured())
            except ReadOnly as error:
                self._take([Finding(PRIMARY, met=False, found=str(error))])
            except Unavailable:
                continue  # others say so; what was found stays

    async def _measured(self) -> list[Finding]:
        findings = list(await self._look())
        before = time.time()
        clocks = await self._log.clocks()
        return [*findings, *self._of_clocks(clocks, (before + time.time()) / 2)]

    def _of_clocks(self, clocks: Clocks, own: float) -> list[Finding]:
        self.offset = self._gate.offset = clocks.now - own
        self.lead = 0.0 if clocks.newest is None else clocks.newest - clocks.now
        lead = max(0.0, self.lead)
        return [
            Finding(
                CLOCK_LIMIT if lead > self._max_lead else CLOCK,
                lead <= min(AHEAD_SECONDS, self._max_lead),
                f"the newest event is {lead:.3f} s ahead of the database's clock (limit {self._max_lead:g} s)",
            ),
            Finding(
                OWN_CLOCK,
                abs(self.offset) <= OFFSET_SECONDS,
                f"this process's clock differs from the database's by {-self.offset:+.3f} s",
            ),
        ]

    def _take(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            name = finding.condition.name
            before = self._findings.get(name)
            self._findings[name] = finding
            if not finding.met and (before is None or before.met or before.condition != finding.condition):
                _log.warning("condition_unmet", condition=name, found=finding.found, do=finding.condition.do)
            elif finding.met and before is not None and not before.met:
                _log.info("condition_met", condition=name, found=finding.found)
        refused = next(
            (one for one in self._findings.values() if not one.met and one.condition.weight > Weight.WARNS), None
        )
        self._gate.refused = None if refused is None else (_kind(refused), refused.text)


def _kind(finding: Finding) -> type[WritesRefused]:
    return ClockBehind if finding.condition.name == CLOCK.name else Unsuitable
