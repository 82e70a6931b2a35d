"""A file that holds a secret of this installation: made once, readable by its owner alone."""

import os
import secrets
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


def make_secret_file(path: Path, content: bytes) -> None:
    """The whole file appears at once under its name, and of two processes that make one at once both get the same.

    Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def read_secret_file(path: Path) -> bytes:
    """Raises OSError."""
    if path.stat().st_mode & 0o077:
        _log.warning("the signing key can be read by others: set its mode to 0600", path=str(path))
    return path.read_bytes()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
