"""Where tests write: into memory where there is room, since most of a short test's time goes into making files."""

import os
import tempfile
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that must be free there: several times what a whole run leaves; containers often have 64 MiB."""
SPARE = 2 << 30
"""Bytes of memory that must remain for everything else."""


def write_into_memory() -> None:
    """Temporary files of this process and its children go there, unless TMPDIR names another place.

    Nothing of what is tested changes: who kills a server leaves the system what it has of its files.
    """
    if "TMPDIR" not in os.environ and _usable(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # asked for before, it would stay what it was


def _usable(folder: Path) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return False
    system = os.statvfs(folder)
    if system.f_flag & os.ST_NOEXEC:  # copies of servers' programs are run from there
        return False
    return system.f_bavail * system.f_frsize >= ROOM and psutil.virtual_memory().available >= ROOM + SPARE
