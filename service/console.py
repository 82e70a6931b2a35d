"""Where commands print: tables as wide as the terminal, or as they need into a file or a pipe; bytes for programs."""

import errno
import sys
from typing import BinaryIO

from rich.console import Console

WIDTH = 200
"""Columns of what is printed into a file or a pipe."""


def wide_console() -> Console:
    found = Console()
    return found if found.is_terminal else Console(width=WIDTH)


def output() -> BinaryIO:
    """What programs read. Raises OSError where the command was started without it."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "there is no standard output to write to")
    return sys.stdout.buffer
