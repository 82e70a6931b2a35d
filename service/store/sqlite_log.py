"""The log on SQLite: one writer thread, one transaction a group, synced before anything is answered."""

import sqlite3
import time
from collections.abc import AsyncIterable, Collection, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import orjson

from domain.moments import utc_text_of
from projections.leaves import Leaf, microseconds_of
from service.store.byte_limits import first_rows, last_of
from service.store.identity import NOT_TOLD, Identity, NotALog, identity_of
from service.store.ids import uuid_from
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
    excerpt_of,
    unheard,
)
from service.store.log_queries import IDENTITY, POSITION_AT, TENANTS, sifted
from service.store.mapper import UnreadableEvent
from service.store.read_ahead import before_damage
from service.store.slices import each
from service.store.sqlite_away import code_of
from service.store.sqlite_file import DatabaseFile, rollback
from service.store.sqlite_forms import malformed
from service.store.sqlite_rows import kept
from service.store.sqlite_schema import migrate
from service.store.sqlite_writing import append, begin_load, end_load, insert, time_of

_COLUMNS = """notification_id, originator_id, originator_version, topic, state, tenant_id, subject_id, recorded_at,
              command_id, salt, digest"""
_ROW = f"SELECT {_COLUMNS} FROM log "  # noqa: S608 - a statement of our own
_READ = _ROW + "WHERE notification_id > ? ORDER BY notification_id LIMIT ?"
_BETWEEN = "log WHERE notification_id > $1 AND notification_id <= $2"
_LEAVES = """SELECT notification_id, tenant_id, originator_id, originator_version, topic, recorded_at, digest
             FROM log WHERE notification_id > ? ORDER BY notification_id LIMIT ?"""
_STREAM = (
    _ROW + "WHERE originator_id = ? AND originator_version > ? AND originator_version <= ? ORDER BY originator_version"
)
_BY_AGGREGATE = (
    _ROW
    + """WHERE (originator_id, originator_version) > (?, ?)
         ORDER BY originator_id, originator_version LIMIT ?"""
)
_OF_TENANT = _ROW + "WHERE tenant_id = ? AND notification_id > ? ORDER BY tenant_id, notification_id LIMIT ?"
_OF_SUBJECT = _ROW + "WHERE subject_id = ? AND notification_id > ? ORDER BY subject_id, notification_id LIMIT ?"
# As one value: for each that a thread fetches it waits until the others let it go on.
_PAGE_OF_SUBJECT = """
    SELECT CAST('[' || (SELECT json_group_array(json_array(
                notification_id, originator_id, originator_version, topic, CAST(state AS text), recorded_at))
            FROM (SELECT notification_id, originator_id, originator_version, topic, state, recorded_at FROM log
                  WHERE subject_id = ? AND notification_id > ? ORDER BY subject_id, notification_id LIMIT ? OFFSET ?))
           || ',' || count(*) || ',' || coalesce(max(notification_id), 0) || ']' AS blob)
    FROM log WHERE subject_id = ? AND notification_id > ?"""
_PLACED_OF_SUBJECT = f"{_OF_SUBJECT} OFFSET ?"
_COUNT_OF_SUBJECT = "SELECT count(*), max(notification_id) FROM log WHERE subject_id = ? AND notification_id > ?"
_TENANT_OF = "SELECT tenant_id FROM log WHERE originator_id = ? AND originator_version = 0"
_BY_COMMAND = _ROW + "WHERE command_id = ?"
_POSITION_AT = POSITION_AT.format(time="?")
_COUNT = "SELECT count(*) FROM log WHERE tenant_id = ? AND notification_id > ?"
_DIGESTS = """SELECT notification_id, tenant_id, digest FROM log
              WHERE notification_id IN (SELECT value FROM json_each(?))"""
_NEWEST = "SELECT recorded_at FROM log ORDER BY notification_id DESC LIMIT 1"
_RESTORED = "UPDATE log_identity SET formerly = log_id, log_id = lower(hex(randomblob(16))), restored = 1"
_MAX_VERSION = 2**31 - 1


class SqliteLog:
    log_id: UUID
    restored: bool

    def __init__(self, file: DatabaseFile) -> None:
        self._file = file
        self._left_out: Collection[int] = ()

    async def open(self) -> None:
        """Raises SchemaTooNew."""
        await self._file.write(migrate)
        self.log_id, self.restored, _ = await self.identity()

    async def append(self, entries: Sequence[Entry], sending: Sending = unheard) -> list[Outcome]:
        sending()
        return await self._file.write(lambda connection: append(connection, entries))

    async def confirm(self) -> None:
        """What can be read was synced before."""

    async def erase(self, entry: Entry, redactions: Sequence[Redaction], sending: Sending = unheard) -> Outcome:
        sending()
        (outcome,) = await self._file.write(lambda connection: append(connection, [entry], redactions))
        if outcome.verdict is Verdict.APPENDED:
            await self._file.scrub()
        return outcome

    async def head(self) -> int:
        return int((await self._fetch("SELECT coalesce(max(notification_id), 0) FROM log"))[0][0])

    async def read(self, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        return await before_damage(lambda some: self._some(_READ, (after, some), max_bytes), limit)

    async def plain(self, after: int, limit: int, max_bytes: int | None = None) -> Sequence[Plain]:
        if self._left_out:
            return await self._fetch(_READ, after, limit, max_bytes=max_bytes)
        upto = after + limit
        if max_bytes is not None:
            upto = await self._file.read(lambda connection: last_of(connection, after, limit, max_bytes))
        rows = await self._file.read(lambda connection: kept(connection, _COLUMNS, _BETWEEN, (after, upto)))
        if len(rows) < upto - after:  # the end of the log, or a hole: there may be more beyond it
            return await self._fetch(_READ, after, limit, max_bytes=max_bytes)
        rows.sort()  # they came in whatever order; no two have the same position
        return rows

    async def leaves(self, after: int, limit: int) -> list[Leaf]:
        return [Leaf(*row) for row in await self._fetch(_LEAVES, after, limit)]

    async def stream(self, originator_id: UUID, after: int = -1, upto: int | None = None) -> list[Row]:
        return await self._rows(_STREAM, originator_id.hex, after, _MAX_VERSION if upto is None else upto)

    async def by_aggregate(self, after: tuple[UUID, int], limit: int) -> list[Row]:
        return await self._rows(_BY_AGGREGATE, after[0].hex, after[1], limit)

    async def of_tenant(self, tenant_id: str, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        return await self._some(_OF_TENANT, (tenant_id, after, limit), max_bytes)

    async def of_subject(self, subject_id: UUID, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        return await self._some(_OF_SUBJECT, (subject_id.hex, after, limit), max_bytes)

    async def page_of_subject(
        self, subject_id: UUID, after: int, limit: int, offset: int, known: Counted = NONE_COUNTED
    ) -> tuple[list[Excerpt], Counted]:
        subject = subject_id.hex
        try:
            ((found,),) = await self._fetch(_PAGE_OF_SUBJECT, subject, after, limit, offset, subject, known.last)
            page, more, last = orjson.loads(found)
            return [_excerpt(*row) for row in sorted(page)], Counted(known.total + more, last or known.last)
        except orjson.JSONDecodeError:  # a content that is no text
            rows = await self._rows(_PLACED_OF_SUBJECT, subject, after, limit, offset)
            ((more, last),) = await self._fetch(_COUNT_OF_SUBJECT, subject, known.last)
            return [excerpt_of(row) for row in rows], Counted(known.total + more, last or known.last)
        except (TypeError, ValueError, AttributeError, OverflowError, sqlite3.OperationalError) as error:
            # Of a column that has another form than any event gives it: the rows name which.
            await self._rows(_PLACED_OF_SUBJECT, subject, after, limit, offset)
            raise error from None

    async def position_at(self, at: datetime) -> int:
        return int((await self._fetch(_POSITION_AT, microseconds_of(at)))[0][0])

    async def by_command(self, command_id: UUID) -> Row | None:
        rows = await self._rows(_BY_COMMAND, command_id.hex)
        return rows[0] if rows else None

    async def tenant_of(self, originator_id: UUID) -> str | None:
        found = await self._fetch(_TENANT_OF, originator_id.hex)
        return found[0][0] if found else None

    async def tenants(self) -> list[tuple[str, int]]:
        return await self._fetch(TENANTS)

    async def count(self, tenant_id: str, after: int) -> int:
        return int((await self._fetch(_COUNT, tenant_id, after))[0][0])

    async def digests(self, positions: Sequence[int]) -> dict[int, tuple[str, bytes]]:
        rows = await self._fetch(_DIGESTS, orjson.dumps(list(positions)).decode())
        return {position: (tenant_id, digest) for position, tenant_id, digest in rows}

    async def malformed(self, limit: int) -> list[tuple[int, str]]:
        return await self._file.read(lambda connection: malformed(connection, limit))

    async def clocks(self) -> Clocks:
        rows = await self._fetch(_NEWEST)
        return Clocks(time.time(), rows[0][0] / 1_000_000 if rows else None)

    async def identity(self) -> Identity:
        return identity_of(await self._fetch(IDENTITY))

    def leave_out(self, positions: Collection[int]) -> None:
        self._left_out = positions

    async def restore(self) -> None:
        await self._file.write(lambda connection: connection.execute(_RESTORED))
        self.log_id, self.restored, _ = await self.identity()

    async def load(
        self, batches: AsyncIterable[Sequence[Row]], log_id: UUID, *, restored: bool, formerly: UUID | None = None
    ) -> None:
        identity = Identity(log_id, restored, (formerly or NOT_TOLD) if restored else None)
        try:
            indexes = await self._file.write(begin_load)
            async for rows in batches:
                await self._file.write(partial(insert, rows=rows))
            await self._file.write(lambda connection: end_load(connection, indexes, identity))
        except sqlite3.IntegrityError as error:
            raise NotALog(str(error)) from error
        finally:
            await self._file.write(rollback)
        self.log_id, self.restored, _ = await self.identity()

    async def _some(self, sql: str, args: Sequence[Any], max_bytes: int | None) -> list[Row]:
        return await each(_row, await self._fetch(sql, *args, max_bytes=max_bytes))

    async def _rows(self, sql: str, *args: Any) -> list[Row]:
        return await self._some(sql, args, None)

    async def _fetch(self, sql: str, *args: Any, max_bytes: int | None = None) -> list[Any]:
        sql = sifted(sql, self._left_out)
        try:
            return await self._file.read(lambda connection: first_rows(connection.execute(sql, args), max_bytes))
        except sqlite3.OperationalError as error:
            if code_of(error) != sqlite3.SQLITE_OK:
                raise
            raise UnreadableEvent(f"a text in the log is none ({error}): `ims audit verify` names the event") from None


def _row(row: Sequence[Any]) -> Row:
    position, originator_id, version, topic, state, tenant_id, subject_id, at, command_id, salt, digest = row
    try:
        return Row(
            position, _uuid(originator_id), version, topic, state, tenant_id, _uuid(subject_id), time_of(at),
            uuid_from(command_id) if command_id else None, salt, digest,
        )  # fmt: skip
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise UnreadableEvent(f"a column of position {position} has a form that no event gives it") from None


def _excerpt(position: int, originator_id: str, version: int, topic: str, state: str | None, at: int) -> Excerpt:
    content = None if state is None else state.encode()
    return Excerpt(position, _uuid(originator_id), version, topic, content, utc_text_of(at))


_uuid = lru_cache(maxsize=4_096)(uuid_from)
"""Rows that are read together are often about the same."""
