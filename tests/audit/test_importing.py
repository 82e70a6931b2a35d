"""An import is all of the log or nothing, into a store without events, whatever happens to it."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path

import pytest

from service.audit.errors import ExportDamaged
from service.audit.export_file import ExportFile, row_line
from service.settings import Settings
from service.store.errors import InUse, NotEmpty
from tests.audit import stores
from tests.audit.stores import exported, imported, rows
from tests.projections.building import soon
from tests.projections.histories import long_history
from tests.servers.process import ServiceProcess
from tests.store.engines import PostgresEngine

EVENTS = 1_200
CUT_OFF = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@pytest.fixture
async def file(elsewhere: Settings, tmp_path: Path) -> Path:
    await stores.fill(elsewhere, long_history(EVENTS))
    await exported(elsewhere, tmp_path / "export")
    return tmp_path / "export"


def changed(file: Path, change: Callable[[list[bytes]], None]) -> Path:
    """A copy, its lines changed; the header is line 0, so that a line's number is its position."""
    lines = file.read_bytes().splitlines(keepends=True)
    change(lines)
    copy = file.with_name("changed")
    copy.write_bytes(b"".join(lines))
    return copy


async def test_a_store_with_events_is_refused_and_left_alone(store: Settings, file: Path) -> None:
    await stores.fill(store, long_history(3))
    before = await rows(store)
    with pytest.raises(NotEmpty, match="the log has events: import into a store without events: another IMS_DATABASE"):
        await imported(store, file)
    assert await rows(store) == before


async def test_a_file_that_is_no_sound_log_leaves_the_store_empty(store: Settings, file: Path) -> None:
    def altered(lines: list[bytes]) -> None:
        lines[900] = lines[900].replace(b"Ann", b"Eve").replace(b"Bob", b"Eve")

    def swapped(lines: list[bytes]) -> None:
        lines[700], lines[701] = lines[701], lines[700]

    def missing(lines: list[bytes]) -> None:
        del lines[600]

    def shortened(lines: list[bytes]) -> None:
        del lines[EVENTS]
        lines[-1] = lines[-1].replace(b"1200", b"1199")

    def cut(lines: list[bytes]) -> None:
        del lines[1000:]

    def backwards(lines: list[bytes]) -> None:
        lines[800] = lines[800].replace(b'"recorded_at":"2', b'"recorded_at":"1')

    def exchanged(lines: list[bytes]) -> None:
        """With its digest made anew, so that only the tree knows."""
        with ExportFile.open(file) as export:
            row = next(islice(export.rows(), 499, None))
        salt, state = bytes(16), (row.state or b"").replace(b"Ann", b"Eve").replace(b"Bob", b"Eve")
        lines[500] = row_line(row._replace(state=state, salt=salt, digest=sha256(salt + state).digest()))

    for change, problem in (
        (altered, "event 900 altered: its content does not have its digest"),
        (swapped, "position 701 follows 699"),
        (missing, "position 601 follows 599"),
        (shortened, "1199 events, where 1200 were exported"),
        (exchanged, "the first 1200 events are not those that were exported"),
        (cut, "line 1001: the file ends here, before it is closed"),
        (backwards, "position 800 was recorded before the one before it"),
    ):
        with pytest.raises(ExportDamaged, match=problem):
            await imported(store, changed(file, change))
        assert await rows(store) == []
    await imported(store, file)
    assert len(await rows(store)) == EVENTS


@pytest.mark.parametrize("run", ["api,projector,publisher,auditor", "api"])
async def test_while_a_service_runs_there_nothing_is_imported(
    start_service: Callable[..., ServiceProcess], store: Settings, file: Path, run: str
) -> None:
    service = start_service(data_dir=str(store.data_dir), database_url=store.database_url, run=run)
    with pytest.raises(InUse, match=r"stop (it|every process of the service) first"):
        await imported(store, file)
    service.terminate()
    async with asyncio.timeout(20):
        while not await rows(store):
            with suppress(InUse):  # the server takes a moment to notice that the process has left
                await imported(store, file)
    assert len(await rows(store)) == EVENTS


async def test_while_something_is_imported_no_service_begins(
    start_service: Callable[..., ServiceProcess], on_postgres: Settings, file: Path, tmp_path: Path
) -> None:
    service = ServiceProcess(tmp_path, {"database_url": on_postgres.database_url})
    with subprocess.Popen(
        [sys.executable, "-m", "service", "audit", "import", "-"], env=service.environment, stdin=subprocess.PIPE
    ) as importing:
        assert importing.stdin is not None
        *lines, last = file.read_bytes().splitlines(keepends=True)
        importing.stdin.writelines(lines)
        importing.stdin.flush()
        await soon(lambda: _locked(on_postgres), 20)
        with pytest.raises(RuntimeError, match="the log is being imported"):
            await asyncio.to_thread(service.command, "serve")
        importing.stdin.write(last)
        importing.stdin.close()
        assert importing.wait(20) == 0
    start_service(database_url=on_postgres.database_url)


async def _locked(store: Settings) -> bool:
    """Whether the log's table is, so that rows are on their way."""
    held = "SELECT 1 FROM pg_locks WHERE relation = 'log'::regclass AND mode = 'AccessExclusiveLock' AND granted"
    return bool(await PostgresEngine(store.database_url).sql(held))


async def test_a_process_that_was_cut_off_while_another_log_came_ends(
    start_service: Callable[..., ServiceProcess], on_postgres: Settings, file: Path
) -> None:
    service = start_service(database_url=on_postgres.database_url, run="api")
    service.pause()
    await stores.sql(on_postgres, CUT_OFF)
    await imported(on_postgres, file)
    service.resume()
    assert service.running.wait(20) == 1
    assert '"another_log"' in service.logs


async def test_read_models_of_another_log_are_not_taken_for_those_of_this_one(
    start_service: Callable[..., ServiceProcess], on_sqlite: Settings, file: Path
) -> None:
    await stores.fill(on_sqlite, long_history(3))
    start_service(data_dir=str(on_sqlite.data_dir)).terminate()
    for gone in on_sqlite.data_dir.glob("ims.db*"):
        gone.unlink()
    with pytest.raises(NotEmpty, match="was built from another log"):
        await imported(on_sqlite, file)


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.faults)])
async def test_killed_at_any_moment_it_leaves_an_empty_store_or_a_whole_one(
    store: Settings, file: Path, tmp_path: Path, kills: int
) -> None:
    """Half of the times while rows are on their way, half of them when the last one was sent."""
    dice = random.Random(7)
    content = file.read_bytes()
    service = ServiceProcess(tmp_path, {"data_dir": str(store.data_dir), "database_url": store.database_url})
    for number in range(kills):
        part = content if number % 2 else content[: dice.randrange(len(content) // 2, len(content))]
        with subprocess.Popen(
            [sys.executable, "-m", "service", "audit", "import", "-"], env=service.environment, stdin=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            process.stdin.write(part)  # returns when all but a pipe's length was read
            process.stdin.flush()
            await asyncio.sleep(dice.random() * 0.2)
            process.kill()
        found = await rows(store)
        assert len(found) in (0, EVENTS) if number % 2 else found == []
        if found:
            await stores.sql(store, "DELETE FROM log")
    await imported(store, file)
    assert await exported(store, tmp_path / "again") == content
