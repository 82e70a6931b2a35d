"""A checkpoint: how large the log's tree is and what its root is, signed (c2sp.org/tlog-checkpoint)."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from projections.merkle import EMPTY_ROOT
from service.audit.notes import NoteInvalid, Signer, Verifier, opened, text_of

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Checkpoint(NamedTuple):
    """`note` is the signed text that public tools read; the rest is what it says."""

    origin: str
    size: int
    root: bytes
    note: str


def origin_of(log_id: UUID) -> str:
    """The log's name in checkpoints, and the name of the keys that sign them."""
    return f"ims/{log_id}"


def signed(signer: Signer, size: int, root: bytes) -> Checkpoint:
    origin = signer.verifier.name
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return Checkpoint(origin, size, root, signer.sign(text))


def checkpoint_of(note: str) -> Checkpoint:
    """What the note says, whoever signed it. Raises NoteInvalid."""
    return _read(text_of(note), note)


def verified(note: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """Raises NoteInvalid unless one of these keys signed it."""
    return _read(opened(note, verifiers), note)


def _read(text: str, note: str) -> Checkpoint:
    origin, *lines = text.split("\n")
    try:
        size, root = lines[0], base64.b64decode(lines[1], validate=True)
    except (IndexError, binascii.Error):
        raise NoteInvalid("a checkpoint has the lines origin, size and root") from None
    if not origin or not _SIZE.fullmatch(size) or len(root) != len(EMPTY_ROOT):
        raise NoteInvalid("a checkpoint has the lines origin, size and root")
    return Checkpoint(origin, int(size), root, note)
