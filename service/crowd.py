"""How many commands of one tenant are under way at once while other tenants send commands, too.

Each takes the event loop for a moment between one wait and the next. Where hundreds of one tenant do so in turns, those
of others come to be looked at after all of them. A tenant alone waits for nobody.
"""

import asyncio
from typing import Final

from service.store.errors import Overloaded
from service.store.turns import Lines

MAX_AT_ONCE: Final = 32
"""Commands of one tenant that are under way in one process while others send commands, too."""
MAX_WAITING: Final = 10_000
"""Commands that wait for their turn; beyond that the tenant of which most wait is refused."""
WAIT_SECONDS: Final = 4.0
"""How long one waits for its turn."""
CROWDED_SECONDS: Final = 1.0
"""How long a command of another tenant is remembered."""


class Crowd:
    """One per process, made in its event loop. Whoever has entered leaves when its command is done."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._under_way: dict[str, int] = {}
        self._waiting: Lines[asyncio.Future[None]] = Lines()
        self._latest = ""
        """Whose the newest command is."""
        self._crowded_until = 0.0

    def may_enter(self, tenant_id: str) -> bool:
        """Whether it has entered; if not, it has to wait for its `turn`."""
        if tenant_id != self._latest:
            self._latest, self._crowded_until = tenant_id, self._time() + CROWDED_SECONDS
        under_way = self._under_way.get(tenant_id, 0)
        if under_way >= MAX_AT_ONCE and (self._waiting.of(tenant_id) or self._time() < self._crowded_until):
            return False
        self._under_way[tenant_id] = under_way + 1
        return True

    async def turn(self, tenant_id: str) -> None:
        """Returns once it has entered. Raises Overloaded."""
        if len(self._waiting) >= MAX_WAITING:
            self._make_room(tenant_id)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(tenant_id, turn)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # it came just then
                self.leave(tenant_id)
            if isinstance(error, TimeoutError):
                raise Overloaded(f"{MAX_AT_ONCE} commands of the tenant are under way") from None
            raise

    def leave(self, tenant_id: str) -> None:
        under_way = self._under_way[tenant_id] - 1
        if under_way:
            self._under_way[tenant_id] = under_way
        else:
            del self._under_way[tenant_id]
        while self._waiting and (found := self._waiting.take(self._may)) is not None:
            tenant_id, turn = found
            if not turn.done():
                self._under_way[tenant_id] = self._under_way.get(tenant_id, 0) + 1
                turn.set_result(None)

    def _may(self, tenant_id: str) -> bool:
        return self._under_way.get(tenant_id, 0) < MAX_AT_ONCE or self._time() >= self._crowded_until

    def _make_room(self, tenant_id: str) -> None:
        most, full = self._waiting.longest(), f"{len(self._waiting)} commands wait for their turn"
        if self._waiting.of(tenant_id) >= self._waiting.of(most):
            raise Overloaded(full)
        last = self._waiting.drop_last(most)
        if not last.done():
            last.set_exception(Overloaded(full))
