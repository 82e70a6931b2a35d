"""What the thread that writes does to the log on SQLite: append a group, or fill an empty one."""

import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from projections.leaves import microseconds_of
from service.store.errors import NotEmpty
from service.store.identity import Identity
from service.store.log import Entry, Outcome, Redaction, Row, Verdict
from service.store.redactions import Standing, check
from service.store.sqlite_file import rollback

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = "SELECT notification_id, recorded_at FROM log ORDER BY notification_id DESC LIMIT 1"
_TAKEN = "SELECT notification_id, recorded_at, salt FROM log WHERE originator_id = ? AND originator_version = ?"
_KNOWN = "SELECT notification_id, recorded_at FROM log WHERE command_id = ?"
_INSERT = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REDACT = "UPDATE log SET state = ?, salt = ? WHERE notification_id = ? AND originator_id = ?"
_IDENTIFIED = "UPDATE log_identity SET log_id = ?, restored = ?, formerly = ?"
_STANDING = "SELECT notification_id, topic, state, tenant_id FROM log WHERE originator_id = ?"
_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'log' AND sql IS NOT NULL"


def append(
    connection: sqlite3.Connection, entries: Sequence[Entry], redactions: Sequence[Redaction] | None = None
) -> list[Outcome]:
    """The redactions are of the aggregate of the one entry, which erases, and made only where that is new. Raises
    NotAnErasure."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        position, at = connection.execute(_LAST).fetchone() or (0, 0)
        # A lock, then the clock: times rise with the positions even where the clock was set back.
        at = max(time.time_ns() // 1_000, at + 1)
        outcomes = []
        for entry in entries:
            outcome = _known(connection, entry)
            if outcome is None:
                if redactions is not None:
                    check(entry, redactions, partial(_standing, connection, entry))
                    connection.executemany(_REDACT, [_rewritten(entry, redaction) for redaction in redactions])
                position += 1
                connection.execute(_INSERT, _values(entry, position, at))
                outcome = Outcome(Verdict.APPENDED, position, time_of(at))
                at += 1
            outcomes.append(outcome)
        connection.execute("COMMIT")
    except BaseException:
        rollback(connection)
        raise
    return outcomes


def _standing(connection: sqlite3.Connection, entry: Entry) -> Standing:
    rows = connection.execute(_STANDING, (entry.originator_id.hex,))
    return {position: (topic, state, tenant_id) for position, topic, state, tenant_id in rows}


def _known(connection: sqlite3.Connection, entry: Entry) -> Outcome | None:
    taken = connection.execute(_TAKEN, (entry.originator_id.hex, entry.originator_version)).fetchone()
    if taken is not None and taken[2] == entry.salt:
        return Outcome(Verdict.APPENDED, taken[0], time_of(taken[1]))
    if entry.command_id is not None:
        known = connection.execute(_KNOWN, (entry.command_id.hex,)).fetchone()
        if known is not None:
            return Outcome(Verdict.REPEATED, known[0], time_of(known[1]))
    if taken is not None:
        return Outcome(Verdict.CONFLICT)
    before = entry.originator_version - 1
    if before >= 0 and connection.execute(_TAKEN, (entry.originator_id.hex, before)).fetchone() is None:
        return Outcome(Verdict.CONFLICT)
    return None


def _values(entry: Entry, position: int, at: int) -> tuple[Any, ...]:
    command_id = entry.command_id.hex if entry.command_id else None
    return (
        position, entry.originator_id.hex, entry.originator_version, entry.topic, entry.state, entry.tenant_id,
        entry.subject_id.hex, at, command_id, entry.salt, entry.digest,
    )  # fmt: skip


def begin_load(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Without the indexes, which are made quicker from all rows at once; returns them. Raises NotEmpty."""
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute(_LAST).fetchone() is not None:
        raise NotEmpty
    indexes = connection.execute(_INDEXES).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    return indexes


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    connection.executemany(
        _INSERT,
        (
            (
                row.position,
                row.originator_id.hex,
                row.originator_version,
                row.topic,
                row.state,
                row.tenant_id,
                row.subject_id.hex,
                microseconds_of(row.recorded_at),
                row.command_id.hex if row.command_id else None,
                row.salt,
                row.digest,
            )
            for row in rows
        ),
    )


def end_load(connection: sqlite3.Connection, indexes: list[tuple[str, str]], identity: Identity) -> None:
    for _, definition in indexes:
        connection.execute(definition)
    log_id, restored, formerly = identity
    connection.execute(_IDENTIFIED, (log_id.hex, int(restored), None if formerly is None else formerly.hex))
    connection.execute("COMMIT")


def _rewritten(entry: Entry, redaction: Redaction) -> tuple[Any, ...]:
    return redaction.state, redaction.salt, redaction.position, entry.originator_id.hex


def time_of(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
