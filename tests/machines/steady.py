"""A steady load from clients that do as they should: a key with each command, one retry with it at another process.

Or from clients that do less than that: one try, without a key.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from uuid import uuid4

from tests.domain.examples import BREACH
from tests.faults.load import CUT_OFF, INCIDENTS, Acknowledged, Answer, Client, client

TICK_SECONDS = 0.01
MAX_UNDER_WAY = 400
"""Commands that are not answered yet; beyond that the load waits, as its users would."""
TRIES = 2
RETRY_AFTER_SECONDS = 0.1
"""Before a command is sent again that was refused for the moment; one that was cut off is sent again at once."""


@dataclass
class Steady:
    """What the clients saw. `names` is one for each command that was sent; it stands in the event."""

    names: set[str] = field(default_factory=set)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    """When, in seconds of a clock that only rises."""
    failed: list[tuple[float, str]] = field(default_factory=list)
    """Commands without success after their retry: when, and why."""
    retried: int = 0

    def gap_since(self, moment: float) -> float:
        """The longest time without a success, in seconds."""
        times = [moment, *sorted(at for at in self.answered if at > moment), time.monotonic()]
        return max(later - earlier for earlier, later in pairwise(times))

    def failed_since(self, moment: float) -> Counter[str]:
        return Counter(why for at, why in self.failed if at > moment)


@asynccontextmanager
async def steady(
    urls: Sequence[str], headers: Mapping[str, str], rate: int, tries: int = TRIES
) -> AsyncIterator[Steady]:
    """`rate` commands a second, half of them reports and half of them patches, until the block ends. `tries`: of each
    command; where it is 1 there are no keys either."""
    seen = Steady()
    under_way: set[asyncio.Task[None]] = set()
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client(url, headers, MAX_UNDER_WAY)) for url in urls]
        sending = asyncio.create_task(_send(seen, clients, rate, tries, under_way))
        try:
            yield seen
        finally:
            sending.cancel()
            await asyncio.gather(sending, *under_way, return_exceptions=True)
            if not sending.cancelled() and (error := sending.exception()):
                raise error


async def _send(
    seen: Steady, clients: Sequence[Client], rate: int, tries: int, under_way: set[asyncio.Task[None]]
) -> None:
    began, sent, chance, mine = time.monotonic(), 0, random.Random(5), list[str]()
    for number in count():
        due = int((time.monotonic() - began) * rate)
        for _ in range(min(due - sent, MAX_UNDER_WAY - len(under_way))):
            task = asyncio.create_task(_command(seen, clients, tries, chance, mine))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        sent = due
        await asyncio.sleep(max(0.0, began + (number + 1) * TICK_SECONDS - time.monotonic()))


async def _command(seen: Steady, clients: Sequence[Client], tries: int, chance: random.Random, mine: list[str]) -> None:
    name, key = f"Number {uuid4()}", str(uuid4()) if tries > 1 else None
    seen.names.add(name)
    first = chance.randrange(len(clients))
    if mine and chance.random() < 0.5:
        request = ("PATCH", f"{INCIDENTS}/{chance.choice(mine)}", {"name": name})
    else:
        request = ("POST", INCIDENTS, {**BREACH, "name": name})
    why = ""
    for attempt in range(tries):
        seen.retried += attempt > 0
        try:
            answer = await clients[(first + attempt) % len(clients)].ask(*request, key=key)
        except CUT_OFF as error:
            why = type(error).__name__
            continue
        if answer.status < 300:
            _acknowledged(seen, answer, mine)
            return
        why = f"{answer.status} {answer.code}"
        await asyncio.sleep(RETRY_AFTER_SECONDS)
    seen.failed.append((time.monotonic(), why))


def _acknowledged(seen: Steady, answer: Answer, mine: list[str]) -> None:
    data = answer.data
    seen.answered.append(time.monotonic())
    seen.acknowledged.append(Acknowledged(answer.position, data["id"], data["occ_lock"]))
    if answer.status == 201:
        mine.append(data["id"])
