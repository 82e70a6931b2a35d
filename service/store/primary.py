"""The server that takes writes: the one that the URL names or, where it names several, the one promoted last.

After a failover the old primary may still be up, knowing nothing of it. So all hosts are asked at once; of two that
take writes the one on the newer timeline is right, and from then on this process talks to no older one.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import structlog

from service.store.away import reachable
from service.store.log import Unreachable

SETTINGS = {
    "application_name": "ims",
    "jit": "off",
    "timezone": "UTC",
    # Whoever waited for the append's lock must see what its last holder committed.
    "default_transaction_isolation": "read committed",
    # A process that is paused in a transaction must not hold up whoever takes over from it.
    "idle_in_transaction_session_timeout": "2s",
}
SILENT_SECONDS = 0.5
"""How long a host is still waited for when another one has answered: one that is frozen or cut off never will."""

_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint"
_log = structlog.get_logger(__name__)

_Asked = asyncio.Future[tuple[int, Any]]


class Primary:
    """Makes the connections of one process. `timeout`: seconds that connecting or a statement may take."""

    def __init__(self, url: str, schema: str, timeout: float) -> None:
        self._urls = hosts_apart(url)
        self._schema, self._timeout = schema, timeout
        self._timeline = 0
        self._open: dict[Any, int] = {}
        """The timeline that the server of each connection was on."""

    async def connect(self, settings: Mapping[str, str] = SETTINGS) -> Any:
        """A connection to the server that takes writes. Raises Unreachable."""
        if len(self._urls) > 1:
            return await self._newest(settings)
        return await self._at(self._urls[0], settings)

    async def _at(self, url: str, settings: Mapping[str, str]) -> Any:
        with reachable():
            return await asyncpg.connect(
                url,
                timeout=self._timeout,
                command_timeout=self._timeout,
                # Whoever waits here gives up and goes; its session would wait on for a lock, and another, and another.
                server_settings={
                    "lock_timeout": f"{self._timeout * 1000:.0f}",
                    **settings,
                    "search_path": self._schema,
                },
                target_session_attrs="read-write",
            )

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
        problems, found = [], []
        for one in asked:
            error = one.exception() if one.done() else Unreachable("silent")
            if error is None:
                found.append(one.result())
            elif isinstance(error, Unreachable):
                problems.append(str(error))
            else:
                raise error
        timeline, connection = max(found, key=lambda one: one[0], default=(0, None))
        if connection is None:
            raise Unreachable("; ".join(problems))
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


def hosts_apart(url: str) -> list[str]:
    """A URL for each host of one that names several between commas."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return [url]
    return [urlunsplit(parts._replace(netloc=f"{user}{at}{host}")) for host in hosts.split(",")]


def _give_up(asked: _Asked) -> None:
    asked.cancel()
    asked.add_done_callback(_end)


def _end(asked: _Asked) -> None:
    if not asked.cancelled() and asked.exception() is None:
        asked.result()[1].terminate()
