"""Values that no event has and a database takes: the event is named all the same."""

import io
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest

from service.audit.errors import Unknown
from service.audit.incident_past import IncidentPast
from service.audit.replay import Wanted
from service.audit.replay import show as replay
from service.engines import open_engine
from service.settings import Settings
from service.store.mapper import UnreadableEvent
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
    subject = (await stores.rows(store))[41].subject_id
    await stores.sql(store, f"UPDATE log SET {column} = {value} WHERE notification_id = 42")
    await stores.sql(store, "UPDATE log SET topic = 'IncidentDeleted' WHERE notification_id = 200")
    found = await faults(store)
    assert any(one.startswith("event 42 altered") for one in found)
    assert "event 200 altered" in found, "the walk goes on to the end"
    assert not any("missing" in one for one in found)
    await reads_end_by_name(store, subject)


async def reads_end_by_name(store: Settings, subject: UUID) -> None:
    """Whatever reads the log either goes on or says which event cannot be read: nothing else is raised."""
    async with open_engine(store, writing=False) as engine:
        log = engine.log
        past = IncidentPast(log, subject)
        for read in (log.page_of_subject(subject, 0, 50, 0), log.of_subject(subject, 0, 50), log.stream(subject),
                     log.read(0, 300), log.read(41, 1), past.at_version()):  # fmt: skip
            with suppress(UnreadableEvent, Unknown):
                await read
        before = [row.position for row in await log.read(0, 300)][:41]
        assert before == list(range(1, len(before) + 1)) != [], "what comes before it is there"
    with suppress(UnreadableEvent):
        await replay(store, Wanted(), io.BytesIO())


@pytest.mark.parametrize("value", ["'infinity'", "'-infinity'", "'20000-01-01'", "'0100-01-01 BC'"])
async def test_an_event_of_a_time_that_cannot_be_told_is_named(
    followed_database: tuple[str, Path], postgres: Postgres, tmp_path: Path, value: str
) -> None:
    """PostgreSQL takes it."""
    name, folder = followed_database
    store = stores.postgres(postgres.create_database("copy", template=name), shutil.copytree(folder, tmp_path / "copy"))
    subject = (await stores.rows(store))[41].subject_id
    await stores.sql(store, f"UPDATE log SET recorded_at = {value} WHERE notification_id = 42")
    found = await faults(store)
    await reads_end_by_name(store, subject)
    postgres.drop_database("copy")
    assert any(one.startswith("event 42 altered") for one in found)
