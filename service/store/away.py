"""What it looks like when PostgreSQL is away, or refuses what its user may not do."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from projections.database import Unavailable
from service.store.log import RightMissing

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
    asyncpg.InvalidCatalogNameError,  # the database was dropped, or renamed,
    asyncpg.ObjectNotInPrerequisiteStateError,  # or takes no connections for now
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InternalClientError,
)


@contextmanager
def available(kind: type[Unavailable] = Unavailable) -> Iterator[None]:
    """Turn every way in which the server can be away into one. Raises RightMissing where it is there and refuses."""
    try:
        yield
    except AWAY as error:
        raise translated(error, kind) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise right_missing(error) from error


def translated(error: Exception, kind: type[Unavailable]) -> Unavailable:
    if isinstance(error, ValueError):  # a URL that asyncpg cannot read
        raise error
    return kind(f"{type(error).__name__}: {error}")


def right_missing(error: asyncpg.InsufficientPrivilegeError) -> RightMissing:
    return RightMissing(f"PostgreSQL: {error}; this is for the schema's owner to run, as SECURITY.md has it")
