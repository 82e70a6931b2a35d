"""What a member of a consumer group works on: nobody claims it meanwhile; what was claimed all the same is let go."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog

from projections.database import Unavailable
from service.streams.wire import Command
from service.subscribers.entries import id_of, position_of

LONG_AGO: Final = float("-inf")
"""Since when a member holds what it was given before it was started."""

_log = structlog.get_logger(__name__)


class GroupGone(Exception):
    """Redis has lost the group."""


class Held:
    """The positions that a member was given and has not acknowledged. `idle`: seconds until others may claim them.

    `ask` sends commands to Redis; it raises Unavailable and GroupGone.
    """

    def __init__(
        self, ask: Callable[..., Awaitable[list[Any]]], stream: str, group: str, name: str, idle: float
    ) -> None:
        self._ask, self._stream, self._group, self._name, self._idle = ask, stream, group, name, idle
        self._positions: set[int] = set()
        self._sure_until = LONG_AGO
        """Until then nobody can have claimed any of them."""

    @asynccontextmanager
    async def holding(self, positions: Iterable[int], since: float) -> AsyncIterator[None]:
        """However long the work takes, they stay with this member; `since` then it had asked for them."""
        self._positions = set(positions)
        self._sure_until = since + self._idle
        task = asyncio.create_task(self._hold_on())
        try:
            yield
        finally:
            task.cancel()
            self._positions.clear()

    async def still(self, position: int) -> bool:
        """Whoever was paused for long may find that another member handles by now what this one was given."""
        if asyncio.get_running_loop().time() >= self._sure_until:
            await self._renew()
        return position in self._positions

    def let_go(self, position: int) -> None:
        """It is done with."""
        self._positions.discard(position)

    async def _hold_on(self) -> None:
        while True:
            await asyncio.sleep(self._idle / 3)
            with suppress(Unavailable, GroupGone):  # whoever acknowledges next hears of it
                await self._renew()

    async def _renew(self) -> None:
        """Say that this member still works on what it holds, and let go of what another has claimed."""
        if not self._positions:
            return
        asked = asyncio.get_running_loop().time()
        span = id_of(min(self._positions)), id_of(max(self._positions))
        pending: Command = ("XPENDING", self._stream, self._group, *span, len(self._positions), self._name)
        (answer,) = await self._ask(pending)
        mine = {position_of(id) for id, *_ in answer}
        lost = self._positions - mine
        if lost:
            _log.warning("claimed_by_another", stream=self._stream, events=len(lost), first=min(lost))
        self._positions &= mine
        if self._positions:
            ids = map(id_of, sorted(self._positions))
            await self._ask(("XCLAIM", self._stream, self._group, self._name, 0, *ids, "JUSTID"))
        self._sure_until = asked + self._idle
