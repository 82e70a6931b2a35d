"""What it looks like when PostgreSQL is away, or refuses what its user may not do."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from projections.database import Unavailable
from service.cancelled import raise_if_cancelled
from service.store.errors import ReadOnly, RightMissing, Unreachable

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
    asyncpg.TransactionTimeoutError,
    asyncpg.PostgresSystemError,  # its disk fails, or its files are
    asyncpg.InternalServerError,  # damaged: a repair ends that, or a failover
    asyncpg.InvalidCatalogNameError,  # the database was dropped, or renamed,
    asyncpg.ObjectNotInPrerequisiteStateError,  # or takes no connections for now
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InternalClientError,
    asyncpg.InvalidSQLStatementNameError,  # another session than the one before, by a pooler
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.UndefinedFunctionError,  # of the log, renamed or dropped: by a release that is more than one ahead, say
)


@contextmanager
def available() -> Iterator[None]:
    """Turn every way in which the server can be away into one; RightMissing where it is there and refuses."""
    try:
        yield
    except AWAY as error:
        raise translated(error) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise right_missing(error) from error
    except asyncpg.UntranslatableCharacterError as error:
        if not lacks_character(error):
            raise
        raise translated(error) from error


@contextmanager
def answering(connection: Any) -> Iterator[None]:
    """The same on a connection that somebody else may end meanwhile."""
    try:
        with available():
            yield
    except AttributeError as error:
        raise ended(connection, error) from error


def ended(connection: Any, error: AttributeError) -> Exception:
    """The driver's own mistake where a connection is ended between two of its steps; else the error itself."""
    raise_if_cancelled(error)
    return Unavailable("the connection was ended meanwhile") if connection.is_closed() else error


@contextmanager
def reachable() -> Iterator[None]:
    """For connecting: whatever the server refuses then, the right to connect too, nothing was sent to it."""
    try:
        yield
    except (*AWAY, asyncpg.PostgresError) as error:
        raise translated(error, Unreachable) from error


def translated(error: Exception, kind: type[Unavailable] = Unavailable) -> Unavailable:
    """Raises CancelledError where the task was cancelled."""
    raise_if_cancelled(error)
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        kind = ReadOnly  # it refused the first change, so nothing has happened
    return kind(f"{type(error).__name__}: {error}")


def lacks_character(error: asyncpg.UntranslatableCharacterError) -> bool:
    """Whether the database's encoding has no such character: then that is at fault, and not what was sent."""
    return getattr(error, "server_source_function", None) == "report_untranslatable_char"


def of_another_session(error: BaseException | None) -> bool:
    """What was prepared is not there, or more is than was: the statement before went to another session."""
    return isinstance(error, asyncpg.InvalidSQLStatementNameError | asyncpg.DuplicatePreparedStatementError)


def right_missing(error: asyncpg.InsufficientPrivilegeError) -> RightMissing:
    return RightMissing(f"PostgreSQL: {error}; this is for the schema's owner to run, as SECURITY.md has it")
