"""The log on PostgreSQL: appending is one call of a server-side function, on a connection that does nothing else."""

from collections.abc import AsyncIterable, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from projections.database import Unavailable
from projections.leaves import Leaf
from service.store.away import answering, available
from service.store.bells import Bells
from service.store.byte_limits import first_of
from service.store.identity import NOT_TOLD, Identity, identity_of
from service.store.json_rows import json_rows
from service.store.log import (
    NONE_COUNTED,
    Clocks,
    Counted,
    Entry,
    Excerpt,
    Outcome,
    Plain,
    Redaction,
    Row,
    Sending,
    Verdict,
    unheard,
)
from service.store.log_queries import IDENTITY, POSITION_AT, TENANTS, sifted
from service.store.postgres import Postgres
from service.store.postgres_load import load
from service.store.postgres_rows import excerpt, row_of, told_in_time
from service.store.read_ahead import before_damage
from service.store.redactions import NotAnErasure
from service.store.session import SETTINGS
from service.store.slices import each

HEAD_CHANNEL = "head"

# The message makes the transaction one that writes, also where every entry is in the log already: its commit then waits
# for disk and standby as theirs should have, so that nothing is acknowledged which a failover would lose. On its way it
# makes this very commit wait, whatever session a pooler may have put in the place of the one that was prepared.
_DURABLY = """pg_logical_emit_message(true, 'ims', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
                  THEN set_config('synchronous_commit', 'on', true) ELSE '' END)"""
_APPEND = f"SELECT verdict, placed, stamped FROM append($1), {_DURABLY}"  # noqa: S608 - a statement of our own
_CONFIRM = "SELECT pg_logical_emit_message(true, 'ims', '')"
_ERASE = f"SELECT verdict, placed, stamped FROM erase($1, $2), {_DURABLY}"  # noqa: S608 - a statement of our own
_ROW = """SELECT notification_id, originator_id, originator_version, topic, state, tenant_id, subject_id, recorded_at,
                 command_id, salt, digest FROM log """
_READ = _ROW + "WHERE notification_id > $1 ORDER BY notification_id LIMIT $2"
_PLAIN = """SELECT notification_id, encode(uuid_send(originator_id), 'hex'), originator_version, topic, state,
                   tenant_id, encode(uuid_send(subject_id), 'hex'), (extract(epoch FROM recorded_at) * 1000000)::bigint,
                   encode(uuid_send(command_id), 'hex'), salt, digest
            FROM log WHERE notification_id > $1 ORDER BY notification_id LIMIT $2"""
_LEAVES = """SELECT notification_id, tenant_id, encode(uuid_send(originator_id), 'hex'), originator_version, topic,
                    (extract(epoch FROM recorded_at) * 1000000)::bigint, digest
             FROM log WHERE notification_id > $1 ORDER BY notification_id LIMIT $2"""
_STREAM = (
    _ROW
    + "WHERE originator_id = $1 AND originator_version > $2 AND originator_version <= $3 ORDER BY originator_version"
)
_BY_AGGREGATE = (
    _ROW
    + """WHERE (originator_id, originator_version) > ($1, $2)
         ORDER BY originator_id, originator_version LIMIT $3"""
)
# Both ask for the order of their index, so that no planner reads the log by position and drops what is not wanted.
_OF_TENANT = (
    _ROW
    + "WHERE (tenant_id, notification_id) > ($1, $2) AND tenant_id <= $1 ORDER BY tenant_id, notification_id LIMIT $3"
)
_OF_SUBJECT = (
    _ROW
    + """WHERE (subject_id, notification_id) > ($1, $2) AND subject_id <= $1
         ORDER BY subject_id, notification_id LIMIT $3"""
)
_PAGE_OF_SUBJECT = """
    SELECT page.*, counted.more, counted.last
    FROM (SELECT count(*) AS more, max(notification_id) AS last FROM log
          WHERE (subject_id, notification_id) > ($1, $5) AND subject_id <= $1) AS counted
    LEFT JOIN (SELECT notification_id, originator_id, originator_version, topic, state, recorded_at FROM log
               WHERE (subject_id, notification_id) > ($1, $2) AND subject_id <= $1
               ORDER BY subject_id, notification_id LIMIT $3 OFFSET $4) AS page
    ON true ORDER BY page.notification_id"""
_TENANT_OF = "SELECT tenant_id FROM log WHERE originator_id = $1 AND originator_version = 0"
_BY_COMMAND = _ROW + "WHERE command_id = $1"
_HEAD = "SELECT coalesce(max(notification_id), 0) FROM log"
_POSITION_AT = POSITION_AT.format(time="$1")
_COUNT = "SELECT count(*) FROM log WHERE (tenant_id, notification_id) > ($1, $2) AND tenant_id <= $1"
_DIGESTS = "SELECT notification_id, tenant_id, digest FROM log WHERE notification_id = ANY($1)"
# What no Python can tell: years before 1 and after 9999, and the infinite ones.
_MALFORMED = """
    SELECT notification_id, CASE WHEN originator_version < 0 THEN 'originator_version' ELSE 'recorded_at' END
    FROM log
    WHERE originator_version < 0
       OR recorded_at NOT BETWEEN timestamptz '0001-01-01 00:00Z' AND timestamptz '9999-12-31 23:59:59Z'
    ORDER BY notification_id LIMIT $1"""
# As numbers: no Python can tell every time that a log may have.
_CLOCKS = """SELECT extract(epoch FROM clock_timestamp())::double precision,
                    (SELECT extract(epoch FROM recorded_at)::double precision
                     FROM log ORDER BY notification_id DESC LIMIT 1)"""
_RESTORED = "UPDATE log_identity SET formerly = log_id, log_id = gen_random_uuid(), restored = true"
_MAX_VERSION = 2**31 - 1
_VERDICTS = {verdict.value: verdict for verdict in Verdict}


class PostgresLog:
    log_id: UUID
    restored: bool

    def __init__(self, postgres: Postgres, bells: Bells) -> None:
        self._postgres = postgres
        self._bells = bells
        self._writing: Any = None
        self._warnings: list[str] = []
        self._left_out: Collection[int] = ()

    async def open(self) -> None:
        self.log_id, self.restored, _ = await self.identity()

    async def close(self) -> None:
        if self._writing is not None:
            self._writing.terminate()

    async def append(self, entries: Sequence[Entry], sending: Sending = unheard) -> list[Outcome]:
        if self._writing is None or self._writing.is_closed():
            self._writing = await self._postgres.primary.connect()
            self._warnings = _warnings_of(self._writing)
        sending()
        try:
            with answering(self._writing):
                rows = await self._writing.fetch(_APPEND, json_rows(Entry._fields, entries))
            _vouch(self._warnings)
        except BaseException:
            # Whatever went wrong, the next attempt must not meet this session's remains.
            self._writing.terminate()
            raise
        self._bells.ring(HEAD_CHANNEL, "")
        return [_outcome(*row) for row in rows]

    async def erase(self, entry: Entry, redactions: Sequence[Redaction], sending: Sending = unheard) -> Outcome:
        entries, rewritten = json_rows(Entry._fields, [entry]), json_rows(Redaction._fields, redactions)
        connection = await self._postgres.primary.connect()  # the one that appends may be busy with a group
        warnings = _warnings_of(connection)
        sending()
        try:
            with answering(connection):
                (row,) = await connection.fetch(_ERASE, entries, rewritten)
            _vouch(warnings)
        except asyncpg.CheckViolationError as error:
            raise NotAnErasure(str(error)) from None
        finally:
            connection.terminate()
        self._bells.ring(HEAD_CHANNEL, "")
        return _outcome(*row)

    async def confirm(self) -> None:
        async with self._postgres.transaction(durable=True) as rows:
            await rows.fetch(_CONFIRM)

    async def head(self) -> int:
        return int((await self._postgres.fetch(_HEAD))[0][0])

    async def read(self, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        return await before_damage(lambda some: self._some(_READ, (after, some), max_bytes), limit)

    async def plain(self, after: int, limit: int, max_bytes: int | None = None) -> Sequence[Plain]:
        if max_bytes is None:
            return await self._postgres.fetch(sifted(_PLAIN, self._left_out), after, limit)
        return await self._postgres.fetch(sifted(first_of(_PLAIN, 2), self._left_out), after, limit, max_bytes)

    async def leaves(self, after: int, limit: int) -> list[Leaf]:
        return [Leaf(*row) for row in await self._postgres.fetch(sifted(_LEAVES, self._left_out), after, limit)]

    async def stream(self, originator_id: UUID, after: int = -1, upto: int | None = None) -> list[Row]:
        return await self._rows(_STREAM, originator_id, after, _MAX_VERSION if upto is None else upto)

    async def by_aggregate(self, after: tuple[UUID, int], limit: int) -> list[Row]:
        return await self._rows(_BY_AGGREGATE, *after, limit)

    async def of_tenant(self, tenant_id: str, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        return await self._some(_OF_TENANT, (tenant_id, after, limit), max_bytes)

    async def of_subject(self, subject_id: UUID, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        return await self._some(_OF_SUBJECT, (subject_id, after, limit), max_bytes)

    async def page_of_subject(
        self, subject_id: UUID, after: int, limit: int, offset: int, known: Counted = NONE_COUNTED
    ) -> tuple[list[Excerpt], Counted]:
        with told_in_time():
            rows = await self._postgres.fetch(_PAGE_OF_SUBJECT, subject_id, after, limit, offset, known.last)
            *_, more, last = rows[0]
            counted = Counted(known.total + more, last or known.last)
            return [excerpt(*row) for *row, _, _ in rows if row[0] is not None], counted

    async def position_at(self, at: datetime) -> int:
        return int((await self._postgres.fetch(_POSITION_AT, at))[0][0])

    async def by_command(self, command_id: UUID) -> Row | None:
        rows = await self._rows(_BY_COMMAND, command_id)
        return rows[0] if rows else None

    async def tenant_of(self, originator_id: UUID) -> str | None:
        found = await self._postgres.fetch(_TENANT_OF, originator_id)
        return found[0][0] if found else None

    async def tenants(self) -> list[tuple[str, int]]:
        return [(tenant_id, position) for tenant_id, position in await self._postgres.fetch(TENANTS)]

    async def count(self, tenant_id: str, after: int) -> int:
        return int((await self._postgres.fetch(_COUNT, tenant_id, after))[0][0])

    async def digests(self, positions: Sequence[int]) -> dict[int, tuple[str, bytes]]:
        rows = await self._postgres.fetch(_DIGESTS, list(positions))
        return {position: (tenant_id, digest) for position, tenant_id, digest in rows}

    async def malformed(self, limit: int) -> list[tuple[int, str]]:
        return [(position, column) for position, column in await self._postgres.fetch(_MALFORMED, limit)]

    async def clocks(self) -> Clocks:
        return Clocks(*(await self._postgres.fetch(_CLOCKS))[0])

    async def identity(self) -> Identity:
        return identity_of(await self._postgres.fetch(IDENTITY))

    def leave_out(self, positions: Collection[int]) -> None:
        self._left_out = positions

    async def restore(self) -> None:
        connection = await self._postgres.primary.connect()  # as the schema's owner
        try:
            with available():
                await connection.execute(_RESTORED)
        finally:
            connection.terminate()
        self.log_id, self.restored, _ = await self.identity()

    async def load(
        self, batches: AsyncIterable[Sequence[Row]], log_id: UUID, *, restored: bool, formerly: UUID | None = None
    ) -> None:
        identity = Identity(log_id, restored, (formerly or NOT_TOLD) if restored else None)
        # Whoever brings the rows may be slow; the connection's end takes back what is not committed.
        settings = {**SETTINGS, "idle_in_transaction_session_timeout": "0", "lock_timeout": "0"}
        connection = await self._postgres.primary.connect(settings)
        try:
            await load(connection, batches, identity)
        finally:
            connection.terminate()
        self.log_id, self.restored, _ = await self.identity()
        self._bells.ring(HEAD_CHANNEL, "")

    async def _some(self, sql: str, args: Sequence[Any], max_bytes: int | None) -> list[Row]:
        if max_bytes is None:
            return await self._rows(sql, *args)
        return await self._rows(first_of(sql, len(args)), *args, max_bytes)

    async def _rows(self, sql: str, *args: Any) -> list[Row]:
        with told_in_time():
            return await each(row_of, await self._postgres.fetch(sifted(sql, self._left_out), *args))


def _warnings_of(connection: Any) -> list[str]:
    """What it will warn of: a commit that stopped waiting for its standby says so in a warning, and nowhere else."""
    warnings: list[str] = []

    def heard(_: Any, message: Any) -> None:
        if message.severity_en == "WARNING":
            warnings.append(str(message))

    connection.add_log_listener(heard)
    return warnings


def _vouch(warnings: Sequence[str]) -> None:
    if warnings:
        raise Unavailable(warnings[0])


def _outcome(verdict: int, position: int | None, at: datetime | None) -> Outcome:
    return Outcome(_VERDICTS[verdict], position or 0, at)
