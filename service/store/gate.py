"""Whether anything may be recorded: a flag that the write path looks at, and that whoever watches the database sets."""

import asyncio
import time

from service.store.errors import WritesRefused

AHEAD_SECONDS = 1.0
"""An event that is dated so far ahead of this process's clock is reason to look at the database's."""


class Gate:
    """`refused`: the kind of what writes are refused with, and why; None while they may go on."""

    def __init__(self) -> None:
        self.refused: tuple[type[WritesRefused], str] | None = None
        self.offset = 0.0
        """Seconds that this process's clock is behind the database's, as far as it is known."""
        self._suspected = asyncio.Event()

    def check(self) -> None:
        """Raises WritesRefused."""
        if self.refused is not None:
            kind, why = self.refused
            raise kind(why)

    def recorded(self, at: float) -> None:
        """An event was recorded, at a time in seconds since 1970."""
        if at - time.time() - self.offset > AHEAD_SECONDS:
            self._suspected.set()

    def suspect(self) -> None:
        """The database may be another one than before."""
        self._suspected.set()

    async def suspicion(self, seconds: float) -> None:
        """Returns when there is one, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._suspected.wait()
        except TimeoutError:
            pass
        self._suspected.clear()
