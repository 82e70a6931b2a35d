"""The server that takes writes: the one that the URL names or, where it names several, the one promoted last.

After a failover the old primary may still be up, knowing nothing of it. So all hosts are asked at once; of two that
take writes the one on the newer timeline is right, and from then on this process talks to no older one.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import asyncpg
import structlog

from service.database_url import postgres
from service.store.away import reachable
from service.store.errors import ReadOnly, Unreachable
from service.store.session import SETTINGS, WRITABLE, prepare

PREPARE_TRIES = 3
SILENT_SECONDS = 0.5
"""How long a host is still waited for when another one has answered: one that is frozen or cut off never will."""

_READ_ONLY = "SELECT pg_catalog.pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean"
_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint"
_log = structlog.get_logger(__name__)

_Asked = asyncio.Future[tuple[int, Any]]


class Primary:
    """Makes the connections of one process. `timeout`: seconds that connecting or a statement may take.

    Raises Unreachable where the URL means nothing.
    """

    def __init__(self, url: str, schema: str, timeout: float) -> None:
        try:
            place = postgres(url)
        except ValueError as error:
            raise Unreachable(f"PostgreSQL cannot be used: {error}") from None
        self._urls, self._session = place.urls, dict(place.session)
        self._connect_seconds = place.connect_seconds or timeout
        self._schema, self._timeout = schema, timeout
        self._timeline = 0
        self._made: WeakSet[Any] = WeakSet()
        self._open: dict[Any, int] = {}
        """The timeline that the server of each connection was on."""

    async def connect(self, settings: Mapping[str, str] = SETTINGS) -> Any:
        """A connection to the server that takes writes. Raises Unreachable."""
        if len(self._urls) > 1:
            return await self._newest(settings)
        return await self._at(self._urls[0], settings)

    async def _at(self, url: str, settings: Mapping[str, str]) -> Any:
        with reachable():
            connection = await asyncpg.connect(
                url,
                timeout=self._connect_seconds,
                command_timeout=self._timeout,
                server_settings=self._session,
                target_session_attrs="any",
            )
            try:
                await _prepare(connection, prepare(self.settings(settings)))
                await _be_primary(connection)
                self._made.add(connection)
            except BaseException:
                connection.terminate()
                raise
            return connection

    def settings(self, settings: Mapping[str, str] = SETTINGS) -> Mapping[str, str]:
        """What a session of this process has set."""
        # Whoever waits here gives up and goes; its session would wait on for a lock, and another, and another.
        return {"lock_timeout": f"{self._timeout * 1000:.0f}", **settings, "search_path": self._schema}

    def drop(self) -> None:
        """End all connections: whose sessions they lead to is not known any more."""
        for connection in list(self._made):
            connection.terminate()

    async def _newest(self, settings: Mapping[str, str]) -> Any:
        asked: list[_Asked] = [asyncio.ensure_future(self._ask(url, settings)) for url in self._urls]
        try:
            _, silent = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            if silent:
                await asyncio.wait(silent, timeout=SILENT_SECONDS)
            timeline, connection = self._choose(asked)
        except BaseException:
            for one in asked:
                _give_up(one)
            raise
        for one in asked:
            if not one.done() or one.exception() is not None or one.result()[1] is not connection:
                _give_up(one)
        self._move(timeline)
        self._open[connection] = timeline
        connection.add_termination_listener(lambda ended: self._open.pop(ended, None))
        return connection

    async def _ask(self, url: str, settings: Mapping[str, str]) -> tuple[int, Any]:
        connection = await self._at(url, settings)
        try:
            with reachable():
                return await connection.fetchval(_TIMELINE), connection
        except BaseException:
            connection.terminate()
            raise

    def _choose(self, asked: list[_Asked]) -> tuple[int, Any]:
        problems, read_only, found = [], [], []
        for one in asked:
            error = one.exception() if one.done() else Unreachable("silent")
            if error is None:
                found.append(one.result())
            elif isinstance(error, Unreachable):
                problems.append(str(error))
                read_only += [error] if isinstance(error, ReadOnly) else []
            else:
                raise error
        timeline, connection = max(found, key=lambda one: one[0], default=(0, None))
        if connection is None:
            kind = ReadOnly if read_only and len(read_only) == len(problems) else Unreachable
            raise kind("; ".join(problems))
        if timeline < self._timeline:
            raise Unreachable(
                f"who takes writes is on timeline {timeline}, older than {self._timeline}, which was there before"
            )
        return timeline, connection

    def _move(self, timeline: int) -> None:
        """Whatever still talks to a primary of before would read what is old, and wait for what never comes."""
        if 0 < self._timeline < timeline:
            _log.warning("database_moved", timeline=timeline)
            for connection in [one for one, before in self._open.items() if before < timeline]:
                connection.terminate()
        self._timeline = timeline


async def _prepare(connection: Any, statement: str) -> None:
    for last in (*[False] * (PREPARE_TRIES - 1), True):
        try:
            await connection.execute(statement)
        except asyncpg.QueryCanceledError:  # the statement that takes the limit away is under it
            if last:
                raise
        else:
            return


async def _be_primary(connection: Any) -> None:
    """A server says it by itself, from version 14 on; through a pooler it has to be asked. Raises ReadOnly."""
    if getattr(connection.get_settings(), "default_transaction_read_only", "on") == "on":
        await connection.execute(WRITABLE)
    told = connection.get_settings()
    try:
        read_only = "on" in (told.in_hot_standby, told.default_transaction_read_only)
    except AttributeError:
        read_only = await connection.fetchval(_READ_ONLY)
    if read_only:
        raise ReadOnly("the server takes no writes: a standby, or set read-only; read-write is wanted")


def _give_up(asked: _Asked) -> None:
    asked.cancel()
    asked.add_done_callback(_end)


def _end(asked: _Asked) -> None:
    if not asked.cancelled() and asked.exception() is None:
        asked.result()[1].terminate()
