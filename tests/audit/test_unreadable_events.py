"""Values that no event has and a database takes: the event is named all the same."""

import shutil
from pathlib import Path

import pytest

from service.settings import Settings
from tests.audit import stores
from tests.audit.followed import EVENTS, faults
from tests.servers.postgres import Postgres


@pytest.mark.parametrize("later", ["2000000", "9223372036854775807"])
async def test_an_event_far_beyond_the_others_is_named_without_walking_there(followed: Settings, later: str) -> None:
    await stores.sql(followed, f"UPDATE log SET notification_id = {later} WHERE notification_id = {EVENTS}")
    found = await faults(followed)
    assert any(one.endswith(f" to {int(later) - 1} missing; what comes after them is not looked at") for one in found)


UNREADABLE = {
    "id": ("originator_id", "'zzz'"),
    "id-upper": ("originator_id", "upper(originator_id)"),
    "subject": ("subject_id", "'q'"),
    "command": ("command_id", "'q'"),
    "command-number": ("command_id", "7"),
    "time": ("recorded_at", "'x'"),
    "time-late": ("recorded_at", "9223372036854775807"),
    "version": ("originator_version", "'x'"),
    "version-less": ("originator_version", "-1"),
    "state": ("state", "CAST(state AS text)"),
    "state-number": ("state", "5"),
    "salt": ("salt", "'salt'"),
    "digest": ("digest", "lower(hex(digest))"),
    "digest-number": ("digest", "5"),
    "topic": ("topic", "CAST(x'ff' AS text)"),
    "tenant": ("tenant_id", "CAST(x'ff' AS text)"),
}


@pytest.mark.parametrize(("column", "value"), UNREADABLE.values(), ids=UNREADABLE)
async def test_an_event_with_a_value_that_no_column_takes_is_named(
    followed_file: Path, tmp_path: Path, column: str, value: str
) -> None:
    """SQLite takes it."""
    store = stores.sqlite(shutil.copytree(followed_file, tmp_path / "copy"))
    await stores.sql(store, f"UPDATE log SET {column} = {value} WHERE notification_id = 42")
    assert any(found.startswith("event 42 altered") for found in await faults(store))


@pytest.mark.parametrize("value", ["'infinity'", "'-infinity'", "'20000-01-01'", "'0100-01-01 BC'"])
async def test_an_event_of_a_time_that_cannot_be_told_is_named(
    followed_database: tuple[str, Path], postgres: Postgres, tmp_path: Path, value: str
) -> None:
    """PostgreSQL takes it."""
    name, folder = followed_database
    store = stores.postgres(postgres.create_database("copy", template=name), shutil.copytree(folder, tmp_path / "copy"))
    await stores.sql(store, f"UPDATE log SET recorded_at = {value} WHERE notification_id = 42")
    found = await faults(store)
    postgres.drop_database("copy")
    assert any(one.startswith("event 42 altered") for one in found)
