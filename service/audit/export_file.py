"""The form of an export: lines of JSON. A header, every row of the log with every column, and a line that closes it.

`state` is the very text whose digest the row has, so that anybody can compute it again:
SHA-256(salt ‖ state). Compressed or not is seen by the first bytes.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedIOBase
from pathlib import Path
from types import EllipsisType
from typing import Any, Final, NamedTuple, Self, TypeVar
from uuid import UUID

import orjson

from domain.moments import utc_text
from service.audit.errors import ExportDamaged
from service.store.log import Row
from service.store.mapper import UnreadableEvent

FORMAT: Final = "ims-log"
VERSION: Final = 1
FIRST: Final = 1
"""Position of every log's first event."""
GZIP_MAGIC: Final = b"\x1f\x8b"
MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes: a few times the longest that an event can be."""
MAX_VERSION: Final = 2**31 - 1

_T = TypeVar("_T")
_KINDS: Final[dict[type, str]] = {bool: "true or false", dict: "JSON object", int: "integer", str: "text"}


class Header(NamedTuple):
    """The positions `first … last` of one log, of all tenants. `restored` as in Log.

    `formerly` as in Identity; ... in a file of a release that did not tell.
    `checkpoint`: the newest one that was signed when the export began, as a signed note; None where there was none.
    """

    log_id: UUID
    restored: bool
    first: int
    last: int
    checkpoint: str | None
    formerly: UUID | EllipsisType | None = ...

    @property
    def contradicts(self) -> str:
        """What in it does not agree with itself; empty where nothing does not."""
        told = self.formerly is not ... and self.restored != (self.formerly is not None)
        says = "was restored" if self.restored else "never was restored"
        return f"the file says that the log {says}, and formerly was {self.formerly or 'no other'}" if told else ""


class Closing(NamedTuple):
    """How many rows were written, and the root hash of their tree (RFC 6962)."""

    rows: int
    root: bytes


def header_line(header: Header) -> bytes:
    told = {name: value for name, value in header._asdict().items() if value is not ...}
    return _line({"format": FORMAT, "version": VERSION, **told})


def row_line(row: Row) -> bytes:
    """Raises UnreadableEvent where the state is no text, as it is in no log that this service wrote."""
    try:
        state = None if row.state is None else row.state.decode()
    except UnicodeDecodeError:
        raise UnreadableEvent(f"the content of position {row.position} is damaged") from None
    return _line(
        {
            "position": row.position,
            "originator_id": row.originator_id,
            "originator_version": row.originator_version,
            "topic": row.topic,
            "state": state,
            "tenant_id": row.tenant_id,
            "subject_id": row.subject_id,
            "recorded_at": utc_text(row.recorded_at),
            "command_id": row.command_id,
            "salt": None if row.salt is None else row.salt.hex(),
            "digest": row.digest.hex(),
        }
    )


def closing_line(closing: Closing) -> bytes:
    return _line({"rows": closing.rows, "root": closing.root.hex()})


def _line(members: dict[str, Any]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)


class ExportFile:
    """An export that is read once, from its beginning to its end, line by line.

    It says what the lines say: whether positions are dense and digests right is for the reader to judge.
    """

    header: Header
    closing: Closing
    """Known when all rows were read."""

    def __init__(self, lines: BufferedIOBase) -> None:
        """Raises ExportDamaged where there is no header that this release reads."""
        self._lines = lines
        self._number = 0
        self.header = self._next(_header)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """A pipe will do. Raises OSError, ExportDamaged."""
        with path.open("rb") as file:
            if file.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield cls(unpacked)
            else:
                yield cls(file)

    def rows(self) -> Iterator[Row]:
        """Raises ExportDamaged, also where the file ends before it is closed."""
        while True:
            line = self._next(_row_or_closing)
            if isinstance(line, Closing):
                break
            yield line
        self.closing = line
        if self._read():
            raise self._damaged("there is more after the closing line")

    def _next(self, parse: Callable[[Any], _T]) -> _T:
        line = self._read()
        if not line.endswith(b"\n"):
            raise self._damaged("the file ends here, before it is closed" if len(line) < MAX_LINE else "it is too long")
        try:
            return parse(_is(orjson.loads(line), dict))
        except orjson.JSONDecodeError as error:
            raise self._damaged(f"not JSON: {error}") from error
        except KeyError as error:
            raise self._damaged(f"it lacks {error}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise self._damaged(str(error)) from error

    def _read(self) -> bytes:
        self._number += 1
        try:
            return self._lines.readline(MAX_LINE)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, problem: str) -> ExportDamaged:
        return ExportDamaged(f"line {self._number}: {problem}")


def _header(line: dict[str, Any]) -> Header:
    if line.get("format") != FORMAT:
        raise ValueError("not an export of a log")
    if line["version"] != VERSION:
        raise ValueError(f"an export in form {line['version']!r}, this release reads form {VERSION}")
    if line["first"] != FIRST:
        raise ValueError(f"an export from position {line['first']!r} on, where a log begins with {FIRST}")
    checkpoint = line["checkpoint"]
    return Header(
        log_id=UUID(line["log_id"]),
        restored=_is(line["restored"], bool),
        first=_is(line["first"], int),
        last=_is(line["last"], int),
        checkpoint=None if checkpoint is None else _is(checkpoint, str),
        formerly=... if "formerly" not in line else _id_or_none(line["formerly"]),
    )


def _row_or_closing(line: dict[str, Any]) -> Row | Closing:
    if "rows" in line:
        return Closing(_is(line["rows"], int), bytes.fromhex(line["root"]))
    state, command_id, salt = line["state"], line["command_id"], line["salt"]
    recorded_at = datetime.fromisoformat(line["recorded_at"])
    if recorded_at.tzinfo is not UTC:
        raise ValueError("a time that is not UTC")
    version = _is(line["originator_version"], int)
    if not 0 <= version <= MAX_VERSION:
        raise ValueError(f"no event has version {version}")
    return Row(
        position=_is(line["position"], int),
        originator_id=UUID(line["originator_id"]),
        originator_version=version,
        topic=_is(line["topic"], str),
        state=None if state is None else state.encode(),
        tenant_id=_is(line["tenant_id"], str),
        subject_id=UUID(line["subject_id"]),
        recorded_at=recorded_at,
        command_id=None if command_id is None else UUID(command_id),
        salt=None if salt is None else bytes.fromhex(salt),
        digest=bytes.fromhex(line["digest"]),
    )


def _id_or_none(value: Any) -> UUID | None:
    return None if value is None else UUID(_is(value, str))


def _is(value: Any, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise ValueError(f"{value!r:.100} is no {_KINDS[kind]}")
    return value
