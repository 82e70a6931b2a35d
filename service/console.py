"""Where tables are printed: as wide as the terminal, or as wide as they need into a file or a pipe."""

from rich.console import Console

WIDTH = 200
"""Columns of what is printed into a file or a pipe."""


def wide_console() -> Console:
    found = Console()
    return found if found.is_terminal else Console(width=WIDTH)
