"""A member of a consumer group: each event is handled at least once, and again until that succeeded.

What another member left behind is claimed, what fails again and again goes to a stream of its own with the reason, and
a hole is never passed over in silence.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Self

import structlog

from projections.database import Unavailable
from service.streams.address import parse
from service.streams.wire import Command, Wire
from service.subscribers.answers import checked
from service.subscribers.entries import Altered, Entry, Hole, entries_of, id_of, position_of, read_of
from service.subscribers.holding import LONG_AGO, GroupGone, Held

ATTEMPTS: Final = 5
"""How often an event is tried, deliveries that ended with a crash included, before it is put aside."""
FIRST_PAUSE_SECONDS: Final = 0.1
"""Before the second attempt; each further pause is twice as long."""
IDLE_SECONDS: Final = 30.0
"""What a member has not acknowledged for so long, another may claim; who still works on it says so meanwhile."""
BATCH: Final = 50
"""Events that one member takes at once."""
BLOCK_SECONDS: Final = 1.0
RECONNECT_SECONDS: Final = 0.5
REDIS_SECONDS: Final = 5.0
MAX_REMEMBERED: Final = 10_000
"""Positions that this member has handled and would recognise."""
DEAD: Final = "ims:dead"

Handle = Callable[[Entry], Awaitable[None]]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """`attempts`: tries before an event is put aside. `idle`: seconds after which others may claim what this member
    has not acknowledged. `stop_at_hole`: raise Hole rather than go on with a warning."""

    attempts: int = ATTEMPTS
    idle: float = IDLE_SECONDS
    stop_at_hole: bool = True


DEFAULT: Final = Limits()


class Consumer:
    """`run` handles events for ever. `handle` succeeds by returning; whatever it raises is tried again.

    One event is handled at a time, in the stream's order.
    """

    def __init__(
        self, wire: Wire, stream: str, group: str, name: str, handle: Handle, limits: Limits = DEFAULT
    ) -> None:
        self.stream, self.group, self.name = stream, group, name
        self.dead = f"{DEAD}:{group}"
        self._wire, self._handle, self._limits = wire, handle, limits
        self._handled: OrderedDict[int, str] = OrderedDict()
        self._held = Held(self._ask, stream, group, name, limits.idle)
        self._claim_at = 0.0

    @classmethod
    def at(cls, url: str, stream: str, group: str, name: str, handle: Handle, limits: Limits = DEFAULT) -> Self:
        """By the address of the Redis, in the forms that IMS_REDIS_URL has."""
        return cls(Wire(parse(url), REDIS_SECONDS), stream, group, name, handle, limits)

    async def run(self) -> None:
        """Raises Hole, Altered where a position holds another event than it did, NotAllowed."""
        try:
            while True:
                try:
                    if not self._wire.open:
                        await self._wire.connect()
                        await self._join()
                    await self._turn()
                except GroupGone:
                    _log.warning("group_is_made_anew", stream=self.stream, group=self.group)
                    await self._wire.close()
                except Unavailable as error:
                    _log.warning("consumer_waits_for_redis", error=str(error))
                    await self._wire.close()
                    await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            await self._wire.close()

    async def _join(self) -> None:
        """The group, from the stream's beginning where it is new; then what this member did not finish last time."""
        (made,) = await self._wire.ask([("XGROUP", "CREATE", self.stream, self.group, "0", "MKSTREAM")])
        if "BUSYGROUP" not in str(made):
            checked([made])
        start = "-"
        while True:
            (pending,) = await self._ask(("XPENDING", self.stream, self.group, start, "+", BATCH, self.name))
            if not pending:
                return
            await self._again({position_of(id): deliveries for id, _, _, deliveries in pending}, LONG_AGO)
            start = f"({pending[-1][0].decode()}"

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._claim_at:
            self._claim_at = now + self._limits.idle / 2
            await self._claim()
        words = ("GROUP", self.group, self.name, "COUNT", BATCH, "BLOCK", int(BLOCK_SECONDS * 1000))
        groups, answer = await self._ask(
            ("XINFO", "GROUPS", self.stream), ("XREADGROUP", *words, "STREAMS", self.stream, ">")
        )
        entries = read_of(answer)
        if entries:
            await self._look_for_holes(entries, _last_delivered(groups, self.group))
            async with self._held.holding((entry.position for entry in entries), now):
                for entry in entries:
                    if await self._held.still(entry.position):
                        await self._one(entry, 1)
                    self._held.let_go(entry.position)

    async def _claim(self) -> None:
        """What members left that are not heard of any more."""
        start = "0-0"
        while True:
            asked = asyncio.get_running_loop().time()
            words = (self.stream, self.group, self.name, int(self._limits.idle * 1000), start, "COUNT", BATCH, "JUSTID")
            (answer,) = await self._ask(("XAUTOCLAIM", *words))
            start, ids = answer[0].decode(), [id.decode() for id in answer[1]]
            if ids:
                _log.info("claimed", stream=self.stream, events=len(ids), first=ids[0])
                (pending,) = await self._ask(
                    ("XPENDING", self.stream, self.group, ids[0], ids[-1], len(ids), self.name)
                )
                await self._again({position_of(id): deliveries for id, _, _, deliveries in pending}, asked)
            if start == "0-0":
                return

    async def _again(self, deliveries: dict[int, int], since: float) -> None:
        """What was delivered before, so often. Only what is begun counts as delivered once more: nothing that merely
        stood behind an event which ends its consumers is put aside with it."""
        async with self._held.holding(deliveries, since):
            for position, before in deliveries.items():
                if not await self._held.still(position):
                    continue
                id = id_of(position)
                claimed, previous = await self._ask(
                    ("XCLAIM", self.stream, self.group, self.name, 0, id),
                    ("XREVRANGE", self.stream, f"({id}", "-", "COUNT", 1),
                )
                for entry in entries_of(claimed):
                    there = entries_of(previous)
                    if there and there[0].position != entry.prev:
                        self._hole(there[0].position, entry)
                    await self._one(entry, before + 1)
                if not entries_of(claimed):
                    _log.warning("deleted_before_it_was_handled", stream=self.stream, position=position)
                    await self._ask(("XACK", self.stream, self.group, id))
                self._held.let_go(position)

    async def _look_for_holes(self, entries: Sequence[Entry], last_delivered: int) -> None:
        """Each names the one before it. Others of the group may have taken that one meanwhile, or it was trimmed."""
        first = entries[0]
        if first.prev > last_delivered:
            (found,) = await self._ask(("XREVRANGE", self.stream, f"({id_of(first.position)}", "-", "COUNT", 1))
            there = entries_of(found)
            if there and there[0].position != first.prev:
                self._hole(max(there[0].position, last_delivered), first)
            elif not there and last_delivered:
                self._hole(last_delivered, first)
            elif not there:
                _log.warning("stream_begins_late", stream=self.stream, position=first.position, missing=first.prev)
        for before, entry in pairwise(entries):
            if entry.prev != before.position:
                self._hole(before.position, entry)

    def _hole(self, after: int, entry: Entry) -> None:
        hole = Hole(self.stream, after, entry)
        if self._limits.stop_at_hole:
            raise hole
        _log.error("hole", stream=self.stream, after=after, position=entry.position, prev=entry.prev)

    async def _one(self, entry: Entry, deliveries: int) -> None:
        known = self._handled.get(entry.position)
        if known not in (None, entry.digest):
            raise Altered(f"{self.stream}: position {entry.position} holds another event than before")
        if known is None:
            problem = await self._tried(entry, deliveries)
            if problem:
                await self._bury(entry, problem)
            self._handled[entry.position] = entry.digest
            if len(self._handled) > MAX_REMEMBERED:
                self._handled.popitem(last=False)
        else:
            _log.info("repeat", stream=self.stream, position=entry.position)
        await self._ask(("XACK", self.stream, self.group, id_of(entry.position)))

    async def _tried(self, entry: Entry, deliveries: int) -> str:
        """Why it cannot be handled; empty where it was."""
        problem = f"delivered {deliveries - 1} times and never finished"
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(deliveries, self._limits.attempts + 1):
            try:
                await self._handle(entry)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told with the event
                problem = f"{type(error).__name__}: {error}"
                _log.warning("event_failed", position=entry.position, attempt=attempt, error=problem)
            else:
                return ""
            if attempt < self._limits.attempts:
                await asyncio.sleep(pause)
                pause *= 2
        return problem

    async def _bury(self, entry: Entry, reason: str) -> None:
        _log.error("event_put_aside", stream=self.dead, position=entry.position, reason=reason)
        fields: Command = (
            "event", entry.event, "type", entry.type, "subject", entry.subject, "tenant", entry.tenant, "prev",
            entry.prev, "digest", entry.digest, "stream", self.stream, "id", id_of(entry.position), "consumer",
            self.name, "reason", reason,
        )  # fmt: skip
        await self._ask(("XADD", self.dead, "*", *fields))

    async def _ask(self, *commands: Command) -> list[Any]:
        answers = await self._wire.ask(commands)
        if any("NOGROUP" in str(answer) or "no such key" in str(answer) for answer in answers if _refused(answer)):
            raise GroupGone
        return checked(answers)


def _refused(answer: Any) -> bool:
    return isinstance(answer, Exception)


def _last_delivered(groups: Any, name: str) -> int:
    for group in groups:
        named = group if isinstance(group, dict) else dict(zip(group[::2], group[1::2], strict=True))
        if named[b"name"] == name.encode():
            return position_of(named[b"last-delivered-id"])
    return 0
