"""What a PostgreSQL must be, and how it is measured: one statement, and a second session where a pooler is between."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson

from service.store.away import available, of_another_session
from service.store.conditions import Condition, Finding, Weight

LEAST_VERSION: Final = 14
ENCODING: Final = "UTF8"
POOLER_ROUNDS: Final = 5
"""How often two sessions are asked in turn which backend they have: a busy pooler may part them by chance."""

_FACTS = """SELECT current_setting('server_encoding') AS encoding,
                   current_setting('server_version_num')::integer AS version,
                   pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean AS read_only,
                   current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
                   pg_backend_pid() AS backend,
                   (SELECT json_object_agg(name, setting)::text FROM pg_settings WHERE name = ANY($1)) AS settings"""
_BACKEND = "SELECT pg_backend_pid()"

UTF8 = Condition(
    "encoding",
    f"{ENCODING}, which alone has every character",
    "Make another database, CREATE DATABASE ims TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C', and name it in "
    "IMS_DATABASE_URL. A log that is in this one moves: `ims audit export log.gz` with the old URL, "
    "`ims audit import log.gz` with the new one.",
    Weight.REFUSES_START,
)
VERSION = Condition(
    "version",
    f"PostgreSQL {LEAST_VERSION} or newer",
    "Upgrade the server (pg_upgrade), or move the log: `ims audit export`, then `ims audit import` there.",
    Weight.REFUSES_START,
)
SESSIONS = Condition(
    "sessions",
    "the same session from connecting to leaving",
    "Set pool_mode = session for this database in the pooler, or name the server itself in IMS_DATABASE_URL.",
    Weight.REFUSES_START,
)
SETTINGS_HOLD = Condition(
    "settings",
    "as this process has set it",
    "Something between here and the server sets it back: name the server itself in IMS_DATABASE_URL.",
    Weight.REFUSES_START,
)
DURABLE = Condition(
    "durability",
    "on, or a crash of the server takes back what was acknowledged",
    "Set fsync and full_page_writes to on in postgresql.conf.",
    Weight.WARNS,
)
PRIMARY = Condition(
    "primary",
    "the one that takes writes",
    "Promote a server, or set default_transaction_read_only to off on the one that is the primary; name all hosts in "
    "IMS_DATABASE_URL, and the one promoted last is found.",
    Weight.WARNS,
)

OF_SESSIONS: Final = (SESSIONS, SETTINGS_HOLD)
"""While these are not met, a connection may lead to somebody else's session."""

Another = Callable[[], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True)
class Facts:
    """`shared`: whether other sessions were met where one should be. `settings`: as `pg_settings` has them."""

    encoding: str
    version: int
    fsync: str
    full_page_writes: str
    read_only: bool
    shared: bool
    settings: Mapping[str, str]


async def look(connection: Any, wanted: Mapping[str, str], another: Another) -> list[Finding]:
    """`another`: makes a second connection, from now until it is left. Raises Unavailable."""
    return judge(await _facts(connection, wanted, another), wanted)


def judge(facts: Facts, wanted: Mapping[str, str]) -> list[Finding]:
    differing = {name: value for name, value in facts.settings.items() if not _as_wanted(name, value, wanted[name])}
    off = [name for name in ("fsync", "full_page_writes") if getattr(facts, name) != "on"]
    return [
        Finding(UTF8, facts.encoding == ENCODING, f"the database's encoding is {facts.encoding}"),
        Finding(
            VERSION, facts.version >= LEAST_VERSION * 10_000, f"the server is PostgreSQL {facts.version // 10_000}"
        ),
        shared() if facts.shared else Finding(SESSIONS, met=True, found="each connection has a session of its own"),
        Finding(
            SETTINGS_HOLD,
            facts.shared or not differing,
            ", ".join(f"{name} is {value}" for name, value in differing.items()) or "all are as they were set",
        ),
        Finding(DURABLE, not off, f"off: {', '.join(off)}" if off else "fsync and full_page_writes are on"),
        Finding(PRIMARY, not facts.read_only, "the server takes " + ("no writes" if facts.read_only else "writes")),
    ]


def shared() -> Finding:
    """Of a pooler that was met."""
    found = "a pooler between gives each transaction another session (PgBouncer: pool_mode = transaction or statement)"
    return Finding(SESSIONS, met=False, found=found)


def _as_wanted(name: str, value: str, wanted: str) -> bool:
    if name == "synchronous_commit" and wanted == "on":
        return value in ("on", "remote_write", "remote_apply")
    return value == wanted


async def _facts(connection: Any, wanted: Mapping[str, str], another: Another) -> Facts:
    with available():
        try:
            row = await connection.fetchrow(_FACTS, list(wanted))
            # A pooler cannot know the backend's number when it answers for it.
            pooled = row["backend"] != connection.get_server_pid()
        except asyncpg.PostgresError as error:
            if not of_another_session(error):
                raise
            return Facts(ENCODING, LEAST_VERSION * 10_000, "on", "on", read_only=False, shared=True, settings={})
    shared = pooled and await _is_shared(connection, another)
    settings = {name: value for name, value in orjson.loads(row["settings"]).items() if name in wanted}
    return Facts(
        row["encoding"], row["version"], row["fsync"], row["full_page_writes"], row["read_only"], shared, settings
    )


async def _is_shared(connection: Any, another: Another) -> bool:
    """Whether a backend answers to two connections, or a connection changes its backend.

    A lone pooler gives the backend that was used last to whoever comes next; one that works for others changes it. A
    session's own backend stays what it is.
    """
    seen: tuple[list[int], list[int]] = ([], [])
    try:
        with available():
            async with another() as other:
                for _ in range(POOLER_ROUNDS):
                    for backends, asked in zip(seen, (connection, other), strict=True):
                        backends.append(await asked.fetchval(_BACKEND))
    except Exception as error:
        cause = error if of_another_session(error) else error.__cause__
        if of_another_session(cause):
            return True
        raise
    mine, others = (set(backends) for backends in seen)
    return len(mine) > 1 or len(others) > 1 or mine == others
