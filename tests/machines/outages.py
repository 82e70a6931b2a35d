"""Each part dies in turn under a steady load: how long that was felt, and by whom."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.faults.load import CUT_OFF, authorization, client
from tests.machines.machines import Machines
from tests.machines.steady import Steady, steady

SETTLE_SECONDS = 1.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Outage:
    """`gap`: seconds without a success; `lag`: the most seconds that a follower was behind; `took`: what it took to
    replace the part, in seconds; `failed`: commands without success after one retry."""

    part: str
    gap: float
    lag: float
    took: float
    failed: Counter[str]

    def __str__(self) -> str:
        failed = ", ".join(f"{times} {why}" for why, times in self.failed.items()) or "none"
        return (
            f"{self.part:<14} gap {self.gap:5.2f} s   lag {self.lag:5.2f} s   replaced in {self.took:5.2f} s   "
            f"failed after one retry: {failed}"
        )


async def outages(machines: Machines, rounds: int, rate: int) -> tuple[list[Outage], Steady]:
    """One of each part a round, at `rate` commands a second."""
    found: list[Outage] = []

    async def felt(part: str, kill: Callable[[], Awaitable[float | None]]) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        began, lags = time.monotonic(), list[float]()
        watching = asyncio.create_task(_watch(machines, lags))
        took = await kill() or time.monotonic() - began
        await asyncio.sleep(SETTLE_SECONDS)
        while max(lags[-3:], default=1.0) > SETTLE_SECONDS and time.monotonic() - began < 30:
            await asyncio.sleep(LOOK_SECONDS)
        watching.cancel()
        found.append(Outage(part, seen.gap_since(began), max(lags, default=0.0), took, seen.failed_since(began)))
        sys.stdout.write(f"{found[-1]}\n")

    urls = [process.url for process in machines.apis]
    async with steady(urls, authorization(machines.apis[0]), rate) as seen:
        for number in range(rounds):
            await felt("API process", machines.kill_an_api_process)
            await felt("lease holder", machines.kill_the_lease_holder)
            await felt("PostgreSQL", machines.kill_the_primary)
            if number + 1 < rounds:
                await machines.bring_a_standby_back()
            await felt("Redis", machines.kill_the_redis_master)
    return found, seen


async def _watch(machines: Machines, lags: list[float]) -> None:
    """How far the followers are behind, as a process says that is not killed; what the database tells is enough."""
    async with client(machines.apis[-1].url, {}) as one:
        while True:
            with suppress(*CUT_OFF):
                answer = await one.ask("GET", "/status")
                lags += [max(one["lag_seconds"] for one in answer.body.get("followers", ())) or 0.0]
            await asyncio.sleep(LOOK_SECONDS)
