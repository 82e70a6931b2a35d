"""A few connections to PostgreSQL, shared.

The pool is our own because asyncpg's makes a task for each use: 75 µs of processor time a query (`SELECT 1`, 32 at a
time on 8 connections, Python 3.11) against 38 µs here, medians of 15 rounds in turns.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from projections.database import Unavailable
from service.store.away import AWAY, answering, ended, lacks_character, reachable, right_missing, translated
from service.store.log import Unreachable
from service.store.primary import Primary
from service.store.session import SETTINGS

DERIVED = {"synchronous_commit": "off"}
"""For what can be derived again: rows and position are lost together when the server crashes, and applied again."""


class Connections:
    """At most `size` connections, made when they are wanted, for reads and for what is derived.

    `timeout`: seconds that any wait may take.
    """

    def __init__(self, primary: Primary, size: int, timeout: float) -> None:
        self._primary, self._size, self._timeout = primary, size, timeout
        self.role: str | None = None
        """Whom to act as, where that is not the user who connects."""
        self._idle: list[Any] = []
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._lent: set[Any] = set()
        self._making = 0
        self._closed = False
        self.lost: Callable[[], None] = lambda: None
        """Called when a connection ends: the server may have crashed, and then lost what is derived."""

    async def fetch(self, sql: str, *args: Any) -> Any:
        """One statement on any connection. Raises Unavailable, RightMissing."""
        connection = await self._take()
        try:
            return await connection.fetch(sql, *args)
        except AWAY as error:
            connection.terminate()  # whoever comes next is not to wait for the same server again
            raise translated(error) from error
        except asyncpg.InsufficientPrivilegeError as error:
            raise right_missing(error) from error
        except asyncpg.UntranslatableCharacterError as error:
            if not lacks_character(error):
                raise
            raise translated(error) from error
        except AttributeError as error:
            raise ended(connection, error) from error
        except asyncio.CancelledError:
            connection.terminate()  # its answer is still on the way
            raise
        finally:
            self._give(connection)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Any]:
        """A connection for several statements. Raises Unavailable, also for what goes wrong inside."""
        connection = await self._take()
        try:
            with answering(connection):
                yield connection
        except (Unavailable, asyncio.CancelledError):
            connection.terminate()
            raise
        finally:
            self._give(connection)

    def use(self) -> Mapping[str, int]:
        """How many connections are in use and idle, and how many callers wait for one."""
        return {"used": len(self._lent), "idle": len(self._idle), "waiting": len(self._waiting)}

    def close(self) -> None:
        self._closed = True
        for connection in (*self._idle, *self._lent):
            connection.terminate()

    async def _take(self) -> Any:
        if self._closed:
            raise Unreachable("closed")
        while True:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    self._lent.add(connection)
                    return connection
            if len(self._lent) + self._making < self._size:
                return await self._make()
            connection = await self._turn()
            if connection is not None:
                return connection

    async def _make(self) -> Any:
        self._making += 1
        try:
            connection = await self._connect()
        except BaseException:
            self._next()
            raise
        finally:
            self._making -= 1
        connection.add_termination_listener(lambda _connection: self.lost())
        self._lent.add(connection)
        return connection

    async def _connect(self) -> Any:
        connection = await self._primary.connect({**SETTINGS, **DERIVED})
        if self.role is not None:  # not while connecting: all hosts are asked then, and one that lags may not know it
            try:
                with reachable():
                    await connection.execute("SELECT set_config('role', $1, false)", self.role)
            except BaseException:
                connection.terminate()
                raise
        return connection

    async def _turn(self) -> Any:
        """The connection that was handed on, or None where a new one may be made."""
        turn: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._timeout):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # the turn came just when it was given up
                self._next() if turn.result() is None else self._give(turn.result())
            if isinstance(error, TimeoutError):
                raise Unavailable(f"no connection became free within {self._timeout:g} s") from None
            raise

    def _give(self, connection: Any) -> None:
        if self._closed or connection.is_closed() or connection.is_in_transaction():
            self._lent.discard(connection)
            connection.terminate()
            self._next()
        elif not self._next(connection):  # who waits longest gets it from hand to hand: nobody slips in between
            self._lent.discard(connection)
            self._idle.append(connection)

    def _next(self, connection: Any = None) -> bool:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False
