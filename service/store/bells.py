"""Bells between processes on one PostgreSQL: who waits for a position is woken by NOTIFY."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from projections.database import Unavailable
from service.store.away import answering
from service.store.postgres import Postgres
from service.store.presence import attend

BELL_SECONDS = 0.02
"""Least time between two bells of one channel from one process."""
RECONNECT_SECONDS = 0.5

_RING = "SELECT pg_notify(channel, word) FROM unnest($1::text[], $2::text[]) AS bell (channel, word)"


class Bells:
    """Wakes other processes by NOTIFY, after the commit and on a connection of its own, and is woken by theirs.

    Losing a bell costs a second: whoever waits also looks by itself. By the same connection this process is known to be
    there.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._connection: Any = None
        self._heard: dict[str, Callable[[str], None]] = {}
        self._pending: dict[str, str] = {}
        self._wanted = asyncio.Event()

    def on(self, channel: str, heard: Callable[[str], None]) -> None:
        self._heard[self._name(channel)] = heard

    def ring(self, channel: str, word: str) -> None:
        """Only the newest word of a channel is sent."""
        self._pending[self._name(channel)] = word
        self._wanted.set()

    async def begin(self, log_id: UUID) -> None:
        """Use this log from now on. Raises Unavailable, LogReplaced."""
        self.close()
        self._connection = await self._postgres.primary.connect()
        with answering(self._connection):
            await attend(self._connection, log_id)

    async def run(self, log_id: UUID) -> None:
        """Without an end. Raises LogReplaced."""
        while True:
            with suppress(Unavailable):
                if self._connection is None or self._connection.is_closed():
                    await self.begin(log_id)
                with answering(self._connection):
                    await self._talk(self._connection)
            self.close()
            await asyncio.sleep(RECONNECT_SECONDS)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def _talk(self, connection: Any) -> None:
        myself = connection.get_server_pid()
        for channel, heard in self._heard.items():
            # What this process rings it knows already.
            await connection.add_listener(
                channel, lambda _c, pid, _ch, word, heard=heard: None if pid == myself else heard(word)
            )
        connection.add_termination_listener(lambda _c: self._wanted.set())
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            pending, self._pending = self._pending, {}
            if connection.is_closed():
                return
            await connection.execute(_RING, list(pending), list(pending.values()))
            await asyncio.sleep(BELL_SECONDS)

    def _name(self, channel: str) -> str:
        return f"{self._postgres.schema}_{channel}"
