"""Files and folders that nobody but the user of the service may read: data, keys, backups, exports.

Whatever the umask, a file gets mode 0600 and a folder that is made gets 0700. What an earlier release or a copy left
open to others is closed when it is opened, and a log record says so.
"""

import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

import structlog

FILE_MODE = 0o600
FOLDER_MODE = 0o700
OTHERS = 0o077
"""The rights of all but the owner."""

_log = structlog.get_logger(__name__)


class NotOwned(PermissionError):
    """A file belongs to another user, as one does that root copied there; the text names both and says what to do."""


def make_folder(path: Path) -> None:
    """Make a folder of the service's own where there is none; one that is there stays as it is. Raises OSError."""
    try:
        path.mkdir(mode=FOLDER_MODE, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        with suppress(PermissionError):
            path.chmod(FOLDER_MODE)  # the umask may have taken away from it


def close_folder(path: Path) -> None:
    """Take a folder's rights from all but its owner, where it is this user's. A folder that many share (`/tmp`) and one
    that a platform owns (a volume of Kubernetes) stay as they are. Raises OSError."""
    found = path.stat()
    if found.st_uid == os.geteuid() and not found.st_mode & stat.S_ISVTX:
        _tighten(path, found)


def create_file(path: Path) -> None:
    """Make an empty file where there is none. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        return
    _close_to_others(descriptor)
    os.close(descriptor)


def open_new(path: str | Path, flags: int) -> int:
    """An `opener` for `open`: what is written is read by nobody else, also where an older file had that name, and never
    goes where a link leads. Raises OSError."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW, FILE_MODE)
    _close_to_others(descriptor)
    return descriptor


def close_file(path: Path) -> None:
    """Take a file's rights from all but its owner; where there is none, nothing happens.

    Raises NotOwned where it belongs to another user; root may use anybody's.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if os.geteuid() not in (0, found.st_uid):
        raise not_owned(path)
    _tighten(path, found)


def not_owned(path: Path) -> NotOwned:
    """The error that tells whose a file is that this process may not use, and what to do."""
    us = os.geteuid()
    return NotOwned(
        f"{path} belongs to {_name(path.stat().st_uid)}, and this process runs as {_name(us)}: it was probably copied "
        f"there by another user. Stop the service, run `chown {us} {path}` as root, start it again."
    )


def _close_to_others(descriptor: int) -> None:
    with suppress(PermissionError):  # a file system without modes (FAT, a share of Windows) has no rights to take away
        os.fchmod(descriptor, FILE_MODE)


def _tighten(path: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not mode & OTHERS:
        return
    kept = mode & ~OTHERS
    try:
        path.chmod(kept)
    except OSError as error:  # read-only, or without modes: no reason to stop
        _log.warning("others_may_read_this", path=str(path), mode=f"{mode:04o}", error=str(error))
    else:
        _log.warning("rights_tightened", path=str(path), before=f"{mode:04o}", after=f"{kept:04o}")


def _name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
