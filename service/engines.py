"""Which database: everything that differs between the engines is chosen here, and nowhere else."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from projections.database import Database
from projections.read_models import FOLLOWER
from service.private_files import close_folder, make_folder
from service.settings import Settings
from service.store import postgres_definitions, sqlite_definitions
from service.store.bells import Bells
from service.store.conditions import Finding, require
from service.store.errors import NoLog
from service.store.log import Log
from service.store.migrations import steps
from service.store.postgres import Postgres
from service.store.postgres_log import HEAD_CHANNEL, PostgresLog
from service.store.presence import nobody_attends
from service.store.sqlite import SqliteDatabase
from service.store.sqlite_conditions import look_at_log, look_at_read_models
from service.store.sqlite_file import DatabaseFile
from service.store.sqlite_log import SqliteLog
from service.store.sqlite_schema import holds_a_log, only_writer

READ_CHANNEL = FOLLOWER
"""Of these read models: other releases have theirs, at positions of their own."""


def _nobody(_word: str) -> None:
    """An embedded database has no other processes to wake."""


def _no_pool() -> Mapping[str, int]:
    """An embedded database has no connections that could run out."""
    return {}


def _alone() -> AbstractAsyncContextManager[None]:
    """Whoever has the lock of an embedded database is alone."""
    return nullcontext()


@dataclass(slots=True)
class Engine:
    """A log and the read models' database. `exclusive`: no other process writes to them. `apart`: what it is asked
    for it does in a process of its own, while this one goes on.

    `look` measures whether the database is as it must be.
    `misdefined` names what of the schema is not as this release makes it; it is given the statements that made what is
    derived.
    `kept` holds what cannot be derived from the log and must not be lost, beside it.
    `tell_read` rings for the other processes; `on_loss` takes what is called when the read models may have gone back.
    `pool_use`: how many connections are there for what. `alone` keeps processes of the service away, or raises InUse.
    """

    log: Log
    database: Database
    kept: Database
    look: Callable[[], Awaitable[Sequence[Finding]]]
    misdefined: Callable[[Sequence[str]], Awaitable[list[str]]]
    exclusive: bool
    apart: bool
    tell_read: Callable[[str], None] = _nobody
    bells: Bells | None = field(default=None)
    on_loss: Callable[[Callable[[], None]], None] = lambda _: None
    pool_use: Callable[[], Mapping[str, int]] = _no_pool
    alone: Callable[[], AbstractAsyncContextManager[None]] = _alone

    def listen(self, head_moved: Callable[[str], None], read_moved: Callable[[str], None]) -> None:
        if self.bells is not None:
            self.bells.on(HEAD_CHANNEL, head_moved)
            self.bells.on(READ_CHANNEL, read_moved)


@asynccontextmanager
async def open_engine(settings: Settings, *, writing: bool = True, existing: bool = False) -> AsyncIterator[Engine]:
    """Connect, and create or upgrade the schema. `writing`: take the lock of an embedded database. `existing`: create
    nothing; who only reads never does.

    Raises Unreachable, SchemaTooNew, InUse, NoLog, Unsuitable.
    """
    existing = existing or not writing
    if settings.postgres:
        opened = _open_postgres(settings, writing=writing, existing=existing)
    else:
        opened = _open_sqlite(settings, writing=writing, existing=existing)
    async with opened as engine:
        yield engine


@asynccontextmanager
async def _open_postgres(settings: Settings, *, writing: bool, existing: bool) -> AsyncIterator[Engine]:
    postgres = Postgres(
        settings.database_url, settings.database_schema, settings.database_pool, settings.database_timeout
    )
    bells = Bells(postgres)
    log = PostgresLog(postgres, bells)
    try:
        await postgres.open(existing=existing, writing=writing)
        await log.open()
        yield Engine(
            log, postgres, postgres, postgres.look,
            lambda made: postgres_definitions.faults_of(postgres, postgres.schema, made, len(steps("postgres"))),
            exclusive=False, apart=True, bells=bells, on_loss=postgres.on_loss,
            tell_read=lambda word: bells.ring(READ_CHANNEL, word), pool_use=postgres.pool_use,
            alone=lambda: nobody_attends(postgres.primary),
        )  # fmt: skip
    finally:
        bells.close()
        await log.close()
        postgres.close()


@asynccontextmanager
async def _open_sqlite(settings: Settings, *, writing: bool, existing: bool) -> AsyncIterator[Engine]:
    path = settings.sqlite_path
    if existing and not holds_a_log(path):
        raise NoLog(f"there is no log in {path}: IMS_DATA_DIR or IMS_DATABASE_URL names another place")
    if not writing:
        async with _open_files(settings) as engine:
            yield engine
        return
    with only_writer(path):
        async with _open_files(settings, writing=True) as engine:
            yield engine


@asynccontextmanager
async def _open_files(settings: Settings, *, writing: bool = False) -> AsyncIterator[Engine]:
    path = settings.sqlite_path
    make_folder(path.parent)
    if writing and path.parent == settings.data_dir:  # any other folder may hold what is not the service's
        close_folder(path.parent)
    timeout = settings.database_timeout
    appended = DatabaseFile(path, "FULL", timeout)
    kept = DatabaseFile(path, "FULL", timeout)  # a writer of its own: the log's is within a transaction at any time
    derived = DatabaseFile(settings.read_models_path, "NORMAL", timeout)

    async def look() -> list[Finding]:
        return [await appended.read(look_at_log)]

    try:
        if writing:
            require([await derived.read(look_at_read_models), *await look()])
        log = SqliteLog(appended)
        await log.open()
        if writing:  # a process that died may have left there what it had just erased
            await appended.truncate()
            await derived.truncate()
        yield Engine(
            log, SqliteDatabase(derived), SqliteDatabase(kept), look,
            lambda made: sqlite_definitions.faults_of(appended, derived, made), exclusive=True, apart=False,
        )  # fmt: skip
    finally:
        appended.close()
        kept.close()
        derived.close()
