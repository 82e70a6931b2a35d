"""The form of an export: it comes back as it was written, and what was damaged or cut is noticed."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit.errors import ExportDamaged
from service.audit.export_file import (
    Closing,
    ExportFile,
    Header,
    closing_line,
    header_line,
    row_line,
)
from service.store.log import Row
from service.store.mapper import UnreadableEvent

HEADER = Header(UUID(int=7), restored=True, first=1, last=3, checkpoint="a note\n\n— key signature\n")
ROW = Row(
    1, UUID(int=1), 0, "IncidentReported", '{"a":"Ǻ 🚒 \u2028\\n\\u0000"}'.encode(), "acme", UUID(int=2),
    datetime(2025, 1, 22, 12, 0, 0, 251946, UTC), UUID(int=3), b"\0" * 15 + b"\xff", b"\x01" * 32,
)  # fmt: skip
ROWS = [
    ROW,
    ROW._replace(position=2, command_id=None, recorded_at=datetime(2025, 1, 22, 13, tzinfo=UTC)),
    ROW._replace(position=3, state=None, salt=None),
]
CLOSING = Closing(3, b"\x02" * 32)
LINES = [header_line(HEADER), *map(row_line, ROWS), closing_line(CLOSING)]
WHOLE = b"".join(LINES)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "export.ndjson"
        path.write_bytes(content)
        return path

    return write


def read(path: Path) -> tuple[Header, list[Row], Closing]:
    with ExportFile.open(path) as export:
        rows = list(export.rows())
        return export.header, rows, export.closing


def test_what_is_written_comes_back(file: Callable[[bytes], Path]) -> None:
    assert read(file(WHOLE)) == (HEADER, ROWS, CLOSING)


@given(st.text(), st.text(), st.integers(0, 2**31 - 1), st.datetimes(timezones=st.just(UTC)), st.binary())
def test_any_row_comes_back(state: str, tenant_id: str, version: int, at: datetime, salt: bytes) -> None:
    row = ROW._replace(
        state=state.encode(), tenant_id=tenant_id, originator_version=version, recorded_at=at, salt=salt, digest=salt
    )
    assert list(ExportFile(BytesIO(LINES[0] + row_line(row) + LINES[-1])).rows()) == [row]


def test_compressed_or_not_is_seen_by_the_content_not_by_the_name(file: Callable[[bytes], Path]) -> None:
    assert read(file(gzip.compress(WHOLE))) == (HEADER, ROWS, CLOSING)


def test_a_file_that_was_cut_anywhere_is_noticed() -> None:
    for end in range(len(WHOLE)):
        with pytest.raises(ExportDamaged, match=r"^line \d: "):
            list(ExportFile(BytesIO(WHOLE[:end])).rows())


def test_a_compressed_file_that_was_cut_anywhere_is_noticed(file: Callable[[bytes], Path]) -> None:
    packed = gzip.compress(WHOLE)
    for end in range(len(packed)):
        with pytest.raises(ExportDamaged):
            read(file(packed[:end]))


def test_a_compressed_file_whose_bytes_were_changed_is_noticed(file: Callable[[bytes], Path]) -> None:
    packed = gzip.compress(WHOLE)
    for place in range(10, len(packed)):  # before that stands when and where it was compressed
        with pytest.raises(ExportDamaged):
            read(file(packed[:place] + bytes([packed[place] ^ 0xFF]) + packed[place + 1 :]))


@pytest.mark.parametrize(
    ("number", "line", "problem"),
    [
        (1, b'{"format":"other"}\n', "not an export of a log"),
        (1, LINES[0].replace(b'"version":1', b'"version":2'), "form 2, this release reads form 1"),
        (1, LINES[0].replace(b'"last":3', b'"last":"3"'), "no integer"),
        (1, LINES[0].replace(b'"first":1', b'"first":2'), "from position 2 on, where a log begins with 1"),
        (1, LINES[0].replace(b'"checkpoint"', b'"check"'), "it lacks 'checkpoint'"),
        (1, b"[]\n", "no JSON object"),
        (2, b"\n", "not JSON"),
        (3, LINES[2].replace(b'"salt"', b'"sold"'), "it lacks 'salt'"),
        (3, LINES[2].replace(b'"position":2', b'"position":2.0'), "no integer"),
        (3, LINES[2].replace(b'_version":0', b'_version":-1'), "no event has version -1"),
        (3, LINES[2].replace(b":00.000000Z", b":00.000000+08:00"), "not UTC"),
        (3, LINES[2].replace(b":00.000000Z", b":00"), "not UTC"),
        (3, LINES[2].replace(b'"digest":"01', b'"digest":"0'), "hexadecimal"),
        (3, LINES[2].replace(b'"topic":"IncidentReported"', b'"topic":null'), "None is no text"),
        (3, LINES[2].replace(b'"subject_id":"', b'"subject_id":"x'), "UUID"),
        (5, LINES[4].replace(b'"rows":3', b'"rows":true'), "no integer"),
        (5, LINES[4].replace(b'"root":"02', b'"root":"0'), "hexadecimal"),
        (6, b"{}\n", "more after the closing line"),
    ],
)
def test_a_line_that_is_damaged_is_named(file: Callable[[bytes], Path], number: int, line: bytes, problem: str) -> None:
    with pytest.raises(ExportDamaged, match=rf"^line {number}: .*{problem}"):
        read(file(b"".join([*LINES[: number - 1], line, *LINES[number:]])))


def test_a_line_without_end_is_not_read_into_memory(
    file: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.audit.export_file.MAX_LINE", 1_000)
    with pytest.raises(ExportDamaged, match=r"^line 2: it is too long"):
        read(file(LINES[0] + b" " * 100_000))


def test_content_that_no_service_wrote_cannot_be_exported() -> None:
    with pytest.raises(UnreadableEvent, match="content of position 1 is damaged"):
        row_line(ROW._replace(state=b"\xff"))
