"""A file that holds a secret of this installation: made once, readable by its owner alone."""

import os
import secrets
from pathlib import Path

import structlog

from service.private_files import FILE_MODE, OTHERS, NotOwned, close_file, make_folder, not_owned

_log = structlog.get_logger(__name__)


def make_secret_file(path: Path, content: bytes) -> None:
    """The whole file appears at once under its name, and of two processes that make one at once both get the same.

    Raises OSError.
    """
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
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
    """A file that others can read is closed to them. One of another user is read where that user lets this one, as a
    mounted secret is. Raises OSError, NotOwned.
    """
    try:
        close_file(path)
    except NotOwned:
        if path.stat().st_mode & OTHERS:
            _log.warning(
                "a key can be read by others than its owner: let its owner set its mode to 0600", path=str(path)
            )
    try:
        return path.read_bytes()
    except PermissionError:
        if path.stat().st_uid != os.geteuid():
            raise not_owned(path) from None
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
