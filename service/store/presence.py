"""Who uses a log on PostgreSQL: every process of the service, by a lock that it shares with the others.

The connection that listens holds it. Whoever makes another log of this one (an import, `ims restored`) must have it
alone, and a process that lost it meanwhile finds out when it connects again.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from projections.database import Unavailable
from service.store.away import available
from service.store.errors import InUse, LogReplaced
from service.store.log_queries import IDENTITY
from service.store.primary import Primary

_LOCK = "1229804853, 'log'::regclass::oid::integer"


async def attend(connection: Any, log_id: UUID) -> None:
    """Use this log until the connection ends. Raises LogReplaced, Unavailable."""
    if not await connection.fetchval(f"SELECT pg_try_advisory_lock_shared({_LOCK})"):
        raise Unavailable("the log is being imported or declared restored: start when that has ended")
    found, *_ = await connection.fetchrow(IDENTITY)
    if found.int != log_id.int:
        raise LogReplaced(f"the log is {found} now, and was {log_id} when this process began: start it again")


@asynccontextmanager
async def nobody_attends(primary: Primary) -> AsyncIterator[None]:
    """While it lasts, no process of the service uses the log, and none begins to. Raises InUse, Unreachable."""
    connection = await primary.connect()
    try:
        with available():
            alone = await connection.fetchval(f"SELECT pg_try_advisory_lock({_LOCK})")
        if not alone:
            raise InUse("the log is in use: stop every process of the service first")
        yield
    finally:
        connection.terminate()
