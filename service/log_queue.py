"""Log records on their way to stderr: who logs never waits for who reads, and nobody may ever read.

A pipe that nobody empties takes 64 KiB; the next write waits for ever. So a thread writes, out of a bounded queue.
"""

import logging
import os
import queue
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from typing import Any, Final

import structlog

MAX_RECORDS: Final = 2_000
"""Records that wait to be written; what comes beyond them is dropped and counted."""
FLUSH_SECONDS: Final = 1.0
"""How long the end waits for what is not written yet."""

_STDERR: Final = 2
_log = structlog.get_logger(__name__)


class LogQueue(QueueHandler):
    """Whoever logs renders the record; it is text from then on. `dropped`: records that were not written."""

    def __init__(self, max_records: int = MAX_RECORDS) -> None:
        self.records: queue.Queue[Any] = queue.Queue(max_records)
        super().__init__(self.records)
        self.dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.records.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        """The library would write to stderr itself."""
        self.dropped += 1

    @property
    def has_room(self) -> bool:
        return 2 * self.records.qsize() <= self.records.maxsize

    def is_written(self, seconds: float) -> bool:
        """Waits until nothing waits any more; False where that takes longer."""
        with self.records.all_tasks_done:
            return self.records.all_tasks_done.wait_for(lambda: not self.records.unfinished_tasks, seconds)


class _Stderr(logging.Handler):
    """Used by the queue's thread alone."""

    def __init__(self, source: LogQueue) -> None:
        super().__init__()
        self._source = source
        self._told = 0

    def createLock(self) -> None:  # noqa: N802
        """None: while this waits in a write, the interpreter's end would wait for it."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _write(f"{record.getMessage()}\n".encode(errors="backslashreplace"))
        except OSError:  # a full disk, a reader that went away
            self._source.dropped += 1
        else:
            self._tell_dropped()

    def _tell_dropped(self) -> None:
        """Once there is room for the record that says it."""
        dropped = self._source.dropped
        if dropped > self._told and self._source.has_room:
            _log.warning("log_records_dropped", count=dropped - self._told, total=dropped)
            self._told = dropped


def _write(data: bytes) -> None:
    """By the descriptor: the interpreter's end waits for whoever is within a write of `sys.stderr`."""
    while data:
        try:
            data = data[os.write(_STDERR, data) :]
        except BlockingIOError:
            select.select([], [_STDERR], [])


@contextmanager
def queued_logs() -> Iterator[None]:
    """Until its end, all that goes to the log goes through the queue: warnings and errors that nobody catches, too."""
    root = logging.getLogger()
    direct = root.handlers
    source = LogQueue()
    source.setFormatter(direct[0].formatter)
    listener = QueueListener(source.records, _Stderr(source))
    listener.start()
    root.handlers = [source]
    hooks = sys.unraisablehook, threading.excepthook
    sys.unraisablehook, threading.excepthook = _unraisable, _thread_ended
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        sys.unraisablehook, threading.excepthook = hooks
        written = source.is_written(FLUSH_SECONDS)
        if not written or not _is_flushed():
            _leave_stderr()
        root.handlers = direct
        if written:
            listener.stop()


def dropped_records() -> int:
    """How many records of this process were not written, since it began to serve."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, LogQueue))


def _is_flushed() -> bool:
    """Whether what was logged before the queue was there has gone out: the interpreter tries again at its end, and ends
    with an error of its own where it fails."""
    try:
        sys.stderr.flush()
    except OSError:
        return False
    return True


def _leave_stderr() -> None:
    """Nobody reads it: what is still to be said goes nowhere, rather than keep the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    _log.error("unraisable", exc_info=found.exc_value)


def _thread_ended(found: threading.ExceptHookArgs) -> None:
    _log.error("thread_failed", exc_info=found.exc_value)
