"""`ims audit export`: the log as a file, up to where it is when the command begins."""

import asyncio
import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from service.audit.checkpoint import origin_of
from service.audit.checkpoints import Checkpoints
from service.audit.errors import Disturbed
from service.audit.export_file import FIRST, Closing, Header, closing_line, header_line, row_line
from service.audit.notes import NoteInvalid
from service.audit.orders import ORDERS
from service.audit.outcome import tell
from service.audit.reading import parts
from service.audit.root import Root
from service.console import output
from service.engines import Engine, open_engine
from service.private_files import open_new
from service.progress import progress
from service.settings import Settings
from service.store.log import Log

GZIP_LEVEL = 3
"""Six would save an eighth of the file and take twice as long."""


async def export(settings: Settings, path: Path | None, *, packed: bool, json: bool = False) -> None:
    """Into a file, which has its name when it is whole, or to stdout.

    Raises Disturbed, UnreadableEvent, Unavailable, OSError.
    """
    async with open_engine(settings, writing=False) as engine:
        log = engine.log
        checkpoint = await _newest_checkpoint(engine)
        log_id, restored, formerly = await log.identity()
        header = Header(log_id, restored, FIRST, await log.head(), checkpoint, formerly)
        root = Root()
        with progress("events", header.last) as done, _output(path, packed=packed) as lines:
            lines.write(header_line(header))
            async for rows in parts(log.read, 1, header.last):
                await asyncio.to_thread(lines.write, b"".join(map(row_line, rows)))
                root.grow(rows)
                done(root.size)
            await _undisturbed(log, header.last)
            closing = Closing(root.size, root.hash)
            lines.write(closing_line(closing))
    tell(header.log_id, closing.rows, closing.root, json=json, aside=path is None)


async def _undisturbed(log: Log, last: int) -> None:
    """Raises Disturbed where an event beyond what is exported may have erased something of it."""
    async for rows in parts(log.read, last + 1, await log.head()):
        for row in rows:
            if row.topic in ORDERS:
                raise Disturbed(f"something was erased meanwhile, at position {row.position}: export again")


async def _newest_checkpoint(engine: Engine) -> str | None:
    try:
        newest = await Checkpoints(engine.kept).newest(origin_of(engine.log.log_id))
    except NoteInvalid as error:
        print(f"no checkpoint goes along: what is kept as one is none, {error}", file=sys.stderr)  # noqa: T201
        return None
    return None if newest is None else newest.note


@contextmanager
def _output(path: Path | None, *, packed: bool) -> Iterator[IO[bytes]]:
    with ExitStack() as opened:
        plain = output() if path is None else opened.enter_context(_whole(path))
        # The same log gives the same bytes: no name and no time of the file within it.
        yield (
            opened.enter_context(gzip.GzipFile("", "wb", GZIP_LEVEL, plain, mtime=0)) if packed else plain  # type: ignore[arg-type]
        )


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name, and the place of the one that had it, only when it is written and synced.

    What is no file, such as a pipe or a device, stays what it is and is written into; a link stays one too.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as there:
            yield there
        return
    path = path.resolve()
    partial = path.with_name(f"{path.name}.part")
    try:
        with open(partial, "wb", opener=open_new) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
