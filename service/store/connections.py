"""A few connections to PostgreSQL, shared.

The pool is our own because asyncpg's makes a task for each use: 75 µs of processor time a query (`SELECT 1`, 32 at a
time on 8 connections, Python 3.11) against 38 µs here, medians of 15 rounds in turns.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from projections.database import Unavailable
from service.store.away import AWAY, answering, ended, lacks_character, reachable, right_missing, translated
from service.store.errors import TookTooLong, Unreachable
from service.store.primary import Primary
from service.store.session import SETTINGS
from service.store.turns import ASKING, Lines, Shares

DERIVED = {"synchronous_commit": "off"}
"""For what can be derived again: rows and position are lost together when the server crashes, and applied again."""
CANCEL_SECONDS = 1.0
"""How long the server may take to stop a statement that nobody waits for any more."""


class Connections:
    """At most `size` connections, made when they are wanted, for reads and for what is derived. Tenants take turns, and
    none has all connections where there are several.

    `timeout`: seconds that any wait may take.
    """

    def __init__(self, primary: Primary, size: int, timeout: float) -> None:
        self._primary, self._size, self._timeout = primary, size, timeout
        self.role: str | None = None
        """Whom to act as, where that is not the user who connects."""
        self._idle: list[Any] = []
        self._waiting: Lines[asyncio.Future[Any]] = Lines()
        self._shares = Shares(size)
        self._lent: set[Any] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._making = 0
        self._closed = False
        self.lost: Callable[[], None] = lambda: None
        """Called when a connection ends that this side did not end: the server may have crashed, and then lost what is
        derived."""

    async def fetch(self, sql: str, *args: Any) -> Any:
        """One statement on any connection. Raises Unavailable, TookTooLong, RightMissing."""
        tenant_id = ASKING.get()
        connection = await self._take(tenant_id)
        stopped = False
        try:
            return await connection.fetch(sql, *args)
        except asyncio.CancelledError:
            stopped = True  # its answer is still on the way
            raise
        except TimeoutError as error:
            stopped = True
            raise TookTooLong(f"a statement took more than {self._timeout:g} s") from error
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
        finally:
            self._give_back(connection, tenant_id, stopped)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Any]:
        """A connection for several statements. Raises Unavailable, also for what goes wrong inside."""
        tenant_id = ASKING.get()
        connection = await self._take(tenant_id)
        stopped = False
        try:
            with answering(connection):
                yield connection
        except asyncio.CancelledError:
            stopped = True
            raise
        except Unavailable as error:
            stopped = isinstance(error.__cause__, TimeoutError)
            if not stopped:
                connection.terminate()
            raise
        finally:
            self._give_back(connection, tenant_id, stopped)

    def use(self) -> Mapping[str, int]:
        """How many connections are in use and idle, and how many callers wait for one."""
        return {"used": len(self._lent), "idle": len(self._idle), "waiting": len(self._waiting)}

    def close(self) -> None:
        self._closed = True
        for connection in (*self._idle, *self._lent):
            connection.terminate()

    async def _take(self, tenant_id: str) -> Any:
        if self._closed:
            raise Unreachable("closed")
        while True:
            if self._shares.may(tenant_id):
                while self._idle:
                    connection = self._idle.pop()
                    if not connection.is_closed():
                        self._lend(connection, tenant_id)
                        return connection
                if len(self._lent) + self._making < self._size:
                    return await self._make(tenant_id)
            connection = await self._turn(tenant_id)
            if connection is not None:
                return connection
            if not self._shares.may(tenant_id):  # others of the tenant were quicker
                self._next()

    def _lend(self, connection: Any, tenant_id: str) -> None:
        self._lent.add(connection)
        self._shares.begin(tenant_id)

    async def _make(self, tenant_id: str) -> Any:
        self._making += 1
        self._shares.begin(tenant_id)
        try:
            connection = await self._connect()
        except BaseException:
            self._shares.end(tenant_id)
            self._next()
            raise
        finally:
            self._making -= 1
        connection.add_termination_listener(self._lost)
        self._lent.add(connection)
        return connection

    def _lost(self, _connection: Any) -> None:
        self.lost()

    async def _connect(self) -> Any:
        connection = await self._primary.connect({**SETTINGS, **DERIVED})
        if self.role is not None:  # not while connecting: all hosts are asked then, and one that lags may not know it
            try:
                with reachable():
                    await connection.execute("SELECT set_config('role', $1, false)", self.role)
            except BaseException:
                connection.terminate()
                raise
        if self._closed:
            connection.terminate()
            raise Unreachable("closed")
        return connection

    async def _turn(self, tenant_id: str) -> Any:
        """The connection that was handed on, or None where a new one may be made."""
        turn: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.put(tenant_id, turn)
        try:
            async with asyncio.timeout(self._timeout):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # the turn came just when it was given up
                self._next() if turn.result() is None else self._give(turn.result(), tenant_id)
            if isinstance(error, TimeoutError):
                raise Unavailable(f"no connection became free within {self._timeout:g} s") from None
            raise

    def _give_back(self, connection: Any, tenant_id: str, stopped: bool) -> None:
        """`stopped`: the server may still be at work on it."""
        if not stopped or self._closed or connection.is_closed():
            self._give(connection, tenant_id)
            return
        settling = asyncio.ensure_future(self._settle(connection, tenant_id))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)

    async def _settle(self, connection: Any, tenant_id: str) -> None:
        """The driver has asked the server to stop. A server that answers is well, and so is its connection."""
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                with suppress(asyncpg.QueryCanceledError):  # the request may come when the statement has just ended
                    await connection.execute("SELECT 1")
                await connection.execute("SELECT 1")
        except asyncpg.InFailedSQLTransactionError:
            pass  # it has answered, and is not used again
        except BaseException:  # noqa: BLE001 - whatever it is, nobody waits for this
            connection.terminate()
        finally:
            self._give(connection, tenant_id)

    def _give(self, connection: Any, tenant_id: str) -> None:
        self._shares.end(tenant_id)
        unfinished = not connection.is_closed() and connection.is_in_transaction()
        if self._closed or connection.is_closed() or unfinished:
            self._lent.discard(connection)
            if unfinished:  # it is this side that ends it
                connection.remove_termination_listener(self._lost)
            connection.terminate()
            self._next()
        elif not self._next(connection):  # whose turn it is gets it from hand to hand: nobody slips in between
            self._lent.discard(connection)
            self._idle.append(connection)

    def _next(self, connection: Any = None) -> bool:
        while (found := self._waiting.take(self._shares.may)) is not None:
            tenant_id, turn = found
            if not turn.done():
                if connection is not None:
                    self._shares.begin(tenant_id)
                turn.set_result(connection)
                return True
        return False
