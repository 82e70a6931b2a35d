"""A process that appends until it is killed: `python -m tests.store.appender URL TASKS`, a line an event.

Each task writes versions of an aggregate of its own. With no tasks it only opens the log, and says so.
"""

import asyncio
import sys
from contextlib import nullcontext
from uuid import uuid4

import structlog

from service.store.sqlite_schema import only_writer
from service.store.writer import Writer
from tests.store.engines import SqliteEngine, engine_of
from tests.store.events import happening


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def append(writer: Writer) -> None:
    id, version = uuid4(), 0
    while True:
        recorded = await writer.append(happening(id, version), repeatable=False)
        say(recorded.position, id, version)
        version += 1


async def main(url: str, tasks: int) -> None:
    engine = engine_of(url)
    with only_writer(engine.path) if isinstance(engine, SqliteEngine) else nullcontext():
        async with engine.process() as process:
            say("open", process.log.log_id)
            await asyncio.gather(*(append(process.writer) for _ in range(tasks)))


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
