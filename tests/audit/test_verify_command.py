"""The command as a process: exit codes, JSON, exports without a database, what was kept elsewhere."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from typer.testing import CliRunner

from service.app import running
from service.audit.errors import ExportDamaged
from service.audit.notes import NoteInvalid
from service.audit.verify import command
from service.audit.verify.command import keys_in, note_in
from service.audit.verify.export_walk import verify_export
from service.cli import cli
from service.engines import open_engine
from service.settings import Settings
from service.store.mapper import entry_of
from tests.audit import stores
from tests.audit.followed import EVENTS, follow
from tests.projections.histories import long_history
from tests.servers.process import ServiceProcess


def verify(store: Settings | None, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    settings = {"data_dir": str(folder)} if store is None else {
        "data_dir": str(store.data_dir), "database_url": store.database_url,
    }  # fmt: skip
    environment = ServiceProcess(folder, settings).environment
    return subprocess.run(
        [sys.executable, "-m", "service", "audit", "verify", *options],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
async def kept(on_sqlite: Settings, tmp_path: Path) -> tuple[Settings, Path, Path]:
    """A store, and its key and newest checkpoint in files elsewhere."""
    await stores.fill(on_sqlite, long_history(EVENTS))
    await follow(on_sqlite)
    key, note = tmp_path / "key", tmp_path / "checkpoint"
    async with running(on_sqlite) as parts:
        key.write_text("".join(f"{one}\n" for one in await parts.proofs.keys()))
        note.write_text((await parts.proofs.checkpoint()).note)
    return on_sqlite, key, note


async def test_it_says_sound_or_what_is_not(kept: tuple[Settings, Path, Path], tmp_path: Path) -> None:
    store, key, note = kept
    sound = verify(store, tmp_path, "--key", str(key), "--checkpoint", str(note))
    assert sound.returncode == 0, sound.stderr
    assert "sound" in sound.stdout
    await stores.sql(store, "UPDATE log SET state = salt WHERE notification_id = 42")
    faulty = verify(store, tmp_path)
    assert faulty.returncode == 1
    assert "event 42 altered" in faulty.stdout
    told: Any = json.loads(verify(store, tmp_path, "--json").stdout)
    assert (told["sound"], told["events"], told["fault_count"]) == (False, EVENTS, 1)
    assert (told["faults"][0]["kind"], told["faults"][0]["first"]) == ("EVENT_ALTERED", 42)


async def test_what_cannot_be_verified_is_neither_sound_nor_faulty(tmp_path: Path) -> None:
    away = verify(Settings(data_dir=tmp_path, database_url="postgresql://127.0.0.1:1/none"), tmp_path)
    assert away.returncode == 2
    assert away.stderr
    assert verify(None, tmp_path, "--file", str(tmp_path / "none"), "--key", __file__).returncode == 2
    assert verify(None, tmp_path, "--nonsense").returncode == 2


async def test_a_log_that_was_made_anew_contradicts_what_was_kept(
    kept: tuple[Settings, Path, Path], elsewhere: Settings, tmp_path: Path
) -> None:
    _, key, note = kept
    await stores.fill(elsewhere, long_history(EVENTS))
    found = verify(elsewhere, tmp_path, "--key", str(key), "--checkpoint", str(note))
    assert found.returncode == 1
    assert f"checkpoint {EVENTS} has another root than the log" in found.stdout


async def test_an_export_is_verified_with_nothing_but_a_key(kept: tuple[Settings, Path, Path], tmp_path: Path) -> None:
    store, key, _ = kept
    file = tmp_path / "export.ndjson"
    content = await stores.exported(store, file)
    sound = verify(None, tmp_path / "nowhere", "--file", str(file), "--key", str(key), "--json")
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert json.loads(sound.stdout)["events"] == EVENTS
    packed = tmp_path / "export.ndjson.gz"
    packed.write_bytes(gzip.compress(content))
    assert verify(None, tmp_path / "nowhere", "--file", str(packed), "--key", str(key)).returncode == 0
    assert verify(None, tmp_path / "nowhere", "--file", str(file)).returncode == 2


@pytest.mark.parametrize(
    ("line", "before", "after", "fault"),
    [
        (42, b"IncidentEdited", b"IncidentOpened", "has another root than these events"),
        (42, b"Number", b"Nomber", "event 42 altered: its content does not have its digest"),
        (43, None, b"", "event 43 missing"),
        (0, b"ims/", b"ims/x", "not signed with a key that is known"),
        (EVENTS, b'"position":', b'"position":4611686018427387904,"was":', f"events {EVENTS} to 46116"),
        (EVENTS + 1, b'"root":"', b'"root":"00', "the last line of the file tells another root than these events have"),
        (EVENTS + 1, b'"rows":', b'"rows":1', f"the file ends at {EVENTS}, where 1{EVENTS} events were exported"),
    ],
)
async def test_an_export_that_was_altered_is_not_sound(
    kept: tuple[Settings, Path, Path], tmp_path: Path, line: int, before: bytes | None, after: bytes, fault: str
) -> None:
    store, key, _ = kept
    file = tmp_path / "export.ndjson"
    lines = (await stores.exported(store, file)).splitlines(keepends=True)
    if before is not None:
        number = next(n for n in range(line, len(lines)) if before in lines[n])
        fault = fault.replace("42", str(number))
        lines[number] = lines[number].replace(before, after)
    else:
        lines[line] = b""
    file.write_bytes(b"".join(lines))
    found = verify(None, tmp_path / "nowhere", "--file", str(file), "--key", str(key))
    assert found.returncode == 1
    assert fault in found.stdout


async def test_an_export_that_names_itself_another_log_is_not_sound(
    kept: tuple[Settings, Path, Path], tmp_path: Path
) -> None:
    store, key, _ = kept
    header, *lines = (await stores.exported(store, tmp_path / "export")).splitlines(keepends=True)
    other = orjson.dumps({**orjson.loads(header), "log_id": uuid4()}) + b"\n"
    (tmp_path / "export").write_bytes(b"".join((other, *lines)))
    _, findings = verify_export(tmp_path / "export", keys_in(key), [])
    assert [fault.kind for fault in findings] == ["LOG_CONTRADICTED"]
    with pytest.raises(ExportDamaged, match="it names itself the log"):
        await stores.imported(stores.sqlite(tmp_path / "there"), tmp_path / "export")


async def test_what_came_after_the_checkpoint_is_told_to_be_unsigned(
    kept: tuple[Settings, Path, Path], tmp_path: Path
) -> None:
    store, key, _ = kept
    (later,) = long_history(1, first=EVENTS)
    async with open_engine(store) as engine:
        await engine.log.append([entry_of(later, repeatable=False)])
    await stores.exported(store, tmp_path / "export")
    _, findings = verify_export(tmp_path / "export", keys_in(key), [])
    assert not findings.count
    assert findings.notes == [f"event {EVENTS + 1} without a signature: the newest checkpoint is of {EVENTS}"]


async def test_files_that_hold_no_key_or_no_checkpoint_are_not_passed_over(
    kept: tuple[Settings, Path, Path], tmp_path: Path
) -> None:
    _, key, note = kept
    bad = tmp_path / "bad"
    for content, problem in (
        (b"\n", "holds no public key"),
        (b"key", "name[+]id[+]key"),
        (b"\xff", "no text in UTF-8"),
    ):
        bad.write_bytes(content)
        with pytest.raises(NoteInvalid, match=f"{bad}.*{problem}"):
            keys_in(bad)
    for content in (b"", b"hello\n", note.read_bytes().rstrip(b"\n")):
        bad.write_bytes(content)
        with pytest.raises(NoteInvalid, match=f"{bad} holds no checkpoint: "):
            note_in(bad)
    bad.write_bytes(b"\xef\xbb\xbf" + key.read_bytes().replace(b"\n", b"\r\n"))
    assert keys_in(bad) == keys_in(key), "as an editor on Windows leaves it"


def test_a_log_is_not_called_faulty_because_nobody_reads_what_was_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nobody_reads(*_: object, **__: object) -> int:
        raise SystemExit(1)  # as rich ends a process whose pipe is closed

    monkeypatch.setattr(command, "verify", nobody_reads)
    assert CliRunner().invoke(cli, ["audit", "verify"], env={"IMS_DATA_DIR": str(tmp_path)}).exit_code == 2
