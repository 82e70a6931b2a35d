"""Filling an empty log on PostgreSQL with another one's rows: all of it in one transaction, or nothing."""

from collections.abc import AsyncIterable, Sequence
from typing import Any

import asyncpg

from service.store.away import available
from service.store.errors import NotEmpty
from service.store.identity import Identity, NotALog
from service.store.log import Row

LOAD_SECONDS = 3600.0
"""How long a statement of `load` may take; the longest makes an index of the whole log."""

_IDENTIFIED = "UPDATE log_identity SET log_id = $1, restored = $2, formerly = $3"
_INDEXES = """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
              WHERE indrelid = 'log'::regclass AND NOT indisprimary"""
_COLUMNS = ("notification_id", *Row._fields[1:])


async def load(
    connection: "asyncpg.Connection[asyncpg.Record]",
    batches: AsyncIterable[Sequence[Row]],
    identity: Identity,
) -> None:
    """Raises NotEmpty, NotALog, Unavailable, and what `batches` raises."""

    async def execute(sql: str, *args: Any) -> None:
        with available():
            await connection.execute(sql, *args, timeout=LOAD_SECONDS)

    try:
        await execute("BEGIN")
        await execute("LOCK TABLE log")
        with available():
            if await connection.fetchval("SELECT EXISTS (SELECT FROM log)"):
                raise NotEmpty
            indexes = await connection.fetch(_INDEXES)
        for name, _ in indexes:  # made quicker from all rows at once
            await execute(f"DROP INDEX {name}")
        async for rows in batches:
            with available():
                await connection.copy_records_to_table("log", records=rows, columns=_COLUMNS, timeout=LOAD_SECONDS)
        for _, definition in indexes:
            await execute(definition)
        await execute(_IDENTIFIED, *identity)
        await execute("ANALYZE log")
        await execute("COMMIT")
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
        raise NotALog(str(error)) from error
