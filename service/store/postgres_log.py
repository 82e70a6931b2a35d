"""The log on PostgreSQL: appending is one call of a server-side function, on a connection that does nothing else."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from service.store.bells import Bells
from service.store.connections import available, connect
from service.store.log import Entry, Outcome, Row, Verdict
from service.store.postgres import Postgres

HEAD_CHANNEL = "head"

_APPEND = "SELECT verdict, placed, stamped FROM append($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_ROW = """SELECT notification_id, originator_id, originator_version, topic, state, tenant_id, subject_id, recorded_at,
                 command_id FROM log """
_READ = _ROW + "WHERE notification_id > $1 ORDER BY notification_id LIMIT $2"
_STREAM = (
    _ROW
    + "WHERE originator_id = $1 AND originator_version > $2 AND originator_version <= $3 ORDER BY originator_version"
)
_BY_COMMAND = _ROW + "WHERE command_id = $1"
_HEAD = "SELECT coalesce(max(notification_id), 0) FROM log"
_MAX_VERSION = 2**31 - 1


class PostgresLog:
    log_id: UUID

    def __init__(self, postgres: Postgres, bells: Bells) -> None:
        self._postgres = postgres
        self._bells = bells
        self._writing: Any = None

    async def open(self) -> None:
        self.log_id = UUID(str((await self._postgres.fetch("SELECT log_id FROM log_identity"))[0][0]))

    async def close(self) -> None:
        if self._writing is not None:
            self._writing.terminate()

    async def append(self, entries: Sequence[Entry]) -> list[Outcome]:
        if self._writing is None or self._writing.is_closed():
            self._writing = await connect(self._postgres.url, self._postgres.schema, self._postgres.timeout)
        try:
            with available():
                rows = await self._writing.fetch(_APPEND, *_columns(entries))
        except BaseException:
            # Whatever went wrong, the next attempt must not meet this session's remains.
            self._writing.terminate()
            raise
        self._bells.ring(HEAD_CHANNEL, "")
        return [Outcome(Verdict(verdict), position or 0, at) for verdict, position, at in rows]

    async def head(self) -> int:
        return int((await self._postgres.fetch(_HEAD))[0][0])

    async def read(self, after: int, limit: int) -> list[Row]:
        return await self._rows(_READ, after, limit)

    async def stream(self, originator_id: UUID, after: int = -1, upto: int | None = None) -> list[Row]:
        return await self._rows(_STREAM, originator_id, after, _MAX_VERSION if upto is None else upto)

    async def by_command(self, command_id: UUID) -> Row | None:
        rows = await self._rows(_BY_COMMAND, command_id)
        return rows[0] if rows else None

    async def _rows(self, sql: str, *args: Any) -> list[Row]:
        return [_row(*row) for row in await self._postgres.fetch(sql, *args)]


def _row(
    position: int, originator_id: UUID, version: int, topic: str, state: bytes | None, tenant_id: str,
    subject_id: UUID, recorded_at: datetime, command_id: UUID | None,
) -> Row:  # fmt: skip
    # The driver's ids are of a class of its own, which neither the mapper nor orjson takes for a UUID.
    return Row(
        position, UUID(int=originator_id.int), version, topic, state, tenant_id, UUID(int=subject_id.int), recorded_at,
        UUID(int=command_id.int) if command_id else None,
    )  # fmt: skip


def _columns(entries: Sequence[Entry]) -> list[list[Any]]:
    return [
        [entry.originator_id for entry in entries],
        [entry.originator_version for entry in entries],
        [entry.topic for entry in entries],
        [entry.state for entry in entries],
        [entry.tenant_id for entry in entries],
        [entry.subject_id for entry in entries],
        [entry.command_id for entry in entries],
        [entry.salt for entry in entries],
        [entry.digest for entry in entries],
    ]
