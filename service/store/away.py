"""What it looks like when PostgreSQL is away."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from projections.database import Unavailable

AWAY = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InternalClientError,
)


@contextmanager
def available(kind: type[Unavailable] = Unavailable) -> Iterator[None]:
    """Turn every way in which the server can be away into one."""
    try:
        yield
    except AWAY as error:
        raise translated(error, kind) from error


def translated(error: Exception, kind: type[Unavailable]) -> Unavailable:
    if isinstance(error, ValueError):  # a URL that asyncpg cannot read
        raise error
    return kind(f"{type(error).__name__}: {error}")
