"""`ims audit verify`: what is verified, with which keys, and what the exit code says."""

import asyncio
from pathlib import Path
from typing import Final

from service.audit.checkpoint import checkpoint_of
from service.audit.notes import NoteInvalid, Verifier
from service.audit.verify.database import verify_store
from service.audit.verify.export_walk import verify_export
from service.audit.verify.report import show
from service.garbage import settle
from service.settings import Settings

SOUND: Final = 0
FAULTS: Final = 1


def verify(settings: Settings, *, file: Path | None, key: Path | None, checkpoint: Path | None, json: bool) -> int:
    """Returns the exit code. Raises NoteInvalid, OSError and what opening a store or an export raises."""
    settle()
    keys = [] if key is None else keys_in(key)
    notes = [] if checkpoint is None else [note_in(checkpoint)]
    if file is None:
        summary, findings = asyncio.run(verify_store(settings, keys, notes))
    elif not keys:
        raise NoteInvalid("an export is verified with the public key that its checkpoint is signed with: --key")
    else:
        summary, findings = verify_export(file, keys, notes)
    show(summary, findings, json=json)
    return FAULTS if findings.count else SOUND


def keys_in(path: Path) -> list[Verifier]:
    """A key a line, as the service serves them, at least one. Raises NoteInvalid, OSError."""
    lines = [line for line in _text(path).splitlines() if line.strip()]
    if not lines:
        raise NoteInvalid(f"{path} holds no public key")
    try:
        return [Verifier.of(line) for line in lines]
    except NoteInvalid as error:
        raise NoteInvalid(f"{path}: {error}") from None


def note_in(path: Path) -> str:
    """A checkpoint, whoever signed it. Raises NoteInvalid, OSError."""
    note = _text(path)
    try:
        checkpoint_of(note)
    except NoteInvalid as error:
        raise NoteInvalid(f"{path} holds no checkpoint: {error}") from None
    return note


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise NoteInvalid(f"{path} is no text in UTF-8") from None
