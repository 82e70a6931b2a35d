"""How far a long command is: on stderr, once it takes longer than a moment."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

QUIET_SECONDS = 1.0
"""What takes no longer is done before anybody wonders."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:,.0f}/s")


@contextmanager
def progress(what: str, total: int, *, hidden: bool = False) -> Iterator[Callable[[int], None]]:
    """Call it with how many of them are done by now. Where stderr is no terminal, only the last state is printed.

    `hidden`: something else is written to the same terminal.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
        console=console, auto_refresh=console.is_terminal,
    )  # fmt: skip
    task = bar.add_task(what, total=total)
    began, shown = time.monotonic(), False

    def done(number: int) -> None:
        nonlocal shown
        if not shown and not hidden and time.monotonic() - began > QUIET_SECONDS:
            bar.start()
            shown = True
        bar.update(task, completed=number)

    try:
        yield done
    finally:
        if shown:
            bar.stop()
