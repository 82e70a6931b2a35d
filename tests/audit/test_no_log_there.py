"""Where there is no log, who does not begin one says so, and makes nothing."""

import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service import read_model_commands, stream_commands
from service.audit import rebuilding
from service.audit.verify.database import verify_store
from service.engines import open_engine
from service.projections_cli import Unused
from service.settings import Settings
from service.store.errors import NoLog
from tests.audit import stores
from tests.audit.stores import exported

COMMANDS: dict[str, Callable[[Settings], Coroutine[Any, Any, object]]] = {
    "verify": lambda store: verify_store(store, [], []),
    "export": lambda store: exported(store, store.data_dir.with_name("export")),
    "status": read_model_commands.print_status,
    "rebuild": read_model_commands.rebuild,
    "rebuild audit_tree": rebuilding.rebuild,
    "back": read_model_commands.back,
    "drop": lambda store: read_model_commands.drop(store, Unused.KEPT),
    "restored": stream_commands.restored,
}


@pytest.fixture
def on_postgres(empty_postgres_dsn: str, tmp_path: Path) -> Settings:
    """A database without a log."""
    return stores.postgres(empty_postgres_dsn, tmp_path / "postgres")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
async def test_a_command_in_the_wrong_folder_makes_no_database(
    command: Callable[[Settings], Coroutine[Any, Any, object]], on_sqlite: Settings
) -> None:
    with pytest.raises(NoLog, match=r"there is no log in .*ims\.db"):
        await command(on_sqlite)
    assert not on_sqlite.data_dir.exists()


@pytest.mark.parametrize("command", ["verify", "rebuild"])
async def test_a_command_on_another_database_of_the_server_makes_no_schema(command: str, on_postgres: Settings) -> None:
    with pytest.raises(NoLog, match="there is no log in the schema ims"):
        await COMMANDS[command](on_postgres)
    connection = await asyncpg.connect(on_postgres.database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'ims'") == 0
    finally:
        await connection.close()


@pytest.mark.parametrize("writing", [True, False])
async def test_a_database_of_something_else_is_left_alone(tmp_path: Path, *, writing: bool) -> None:
    store = Settings(data_dir=tmp_path)
    connection = sqlite3.connect(store.sqlite_path)
    connection.execute("CREATE TABLE log (line text)")
    with pytest.raises(NoLog):
        async with open_engine(store, writing=writing):
            pass
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("log",)]
    connection.close()
