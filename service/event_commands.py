"""What `ims events tail`, `consume` and `republish` do. The first two need nothing but Redis."""

import asyncio
import contextlib
import os
import signal
import sys
from typing import Any, Final

import orjson
from rich.console import Console
from rich.text import Text

from projections.cloud_events import CloudEvents
from projections.stream_batches import Filling
from service.engines import open_engine
from service.settings import InvalidSettings, Settings
from service.store.feed import READ_EVENTS
from service.store.history import LogHistory, told_of
from service.streams.publishing import PREFIX, names_of, wire_of
from service.streams.redis_streams import RedisStreams
from service.subscribers.consumer import Consumer, Handle, Limits
from service.subscribers.entries import Entry, WouldSpoil, position_of
from service.subscribers.lines import in_one_line
from service.subscribers.watching import watched

__all__ = ["Limits", "consume", "republish", "stream_of", "tail"]

EXEC_SECONDS: Final = 300.0
"""How long a command of `--exec` may take for one event."""
MAX_REASON: Final = 500
"""Characters of what a failed command wrote on stderr, its end, that are kept."""
MAX_SHOWN: Final = 40
"""Characters of a value that `ims events tail` shows."""


class CommandFailed(Exception):
    """The command of `--exec` did not take the event."""


def stream_of(stream: str | None, tenant: str | None) -> str:
    name = stream or PREFIX
    return f"{name}:{tenant}" if tenant else name


async def tail(settings: Settings, stream: str, after: int, *, json: bool) -> None:
    """Print all of a stream, then each event as it happens, until interrupted."""
    _need_redis(settings)
    console = Console(highlight=False, soft_wrap=True)
    async for entry in watched(wire_of(settings), stream, after, _complain):
        if json:
            sys.stdout.buffer.write(in_one_line(entry.event) + b"\n")
            sys.stdout.buffer.flush()
        else:
            console.print(_line(entry))


async def consume(settings: Settings, stream: str, group: str, name: str, command: str | None, limits: Limits) -> None:
    """Handle events as a member of a group until SIGTERM or SIGINT. Raises Hole, Altered."""
    _need_redis(settings)
    handle = _printed if command is None else _executed(command)
    consumer = Consumer(wire_of(settings), stream, group, name, handle, limits)
    running = asyncio.create_task(consumer.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def republish(settings: Settings, first: int, last: int | None, stream: str, tenant: str | None) -> None:
    """Write events of the log into a stream of the caller's own, in the form of the others. Raises WouldSpoil."""
    _need_redis(settings)
    async with open_engine(settings, writing=False) as engine:
        names = names_of(settings, engine.log)
        if stream == names.prefix or stream.startswith(f"{names.prefix}:"):
            raise WouldSpoil(f"{stream} is the publisher's: choose a name that does not begin with {names.prefix}")
        streams = RedisStreams(wire_of(settings), str(engine.log.log_id))
        try:
            await streams.ready()
            (end,) = await streams.ends([stream])
            prev = position_of(end.id.encode())
            if prev >= first:
                raise WouldSpoil(f"{stream} ends with position {prev}: begin beyond it, or choose another stream")
            events = CloudEvents(orjson, str(engine.log.log_id), LogHistory(engine.log))
            filling = Filling(names, {stream: prev})
            head = await engine.log.head()
            end_at, position, written = min(last or head, head), first - 1, 0
            while position < end_at:
                rows = await engine.log.read(position, min(READ_EVENTS, end_at - position))
                position = rows[-1].position
                wanted = [told_of(row) for row in rows if tenant in (None, row.tenant_id)]
                for batch in filling.batches(await events.of(wanted), [(stream,)] * len(wanted)):
                    (ids,) = await streams.add([batch])
                    if ids[stream] != f"{batch.ends[stream]}-0":
                        raise WouldSpoil(f"somebody else writes into {stream}: it ends with {ids[stream]}")
                    written += len(batch.entries)
        finally:
            await streams.close()
    print(f"{written} events written into {stream}")  # noqa: T201


async def _printed(entry: Entry) -> None:
    sys.stdout.buffer.write(in_one_line(entry.event) + b"\n")
    sys.stdout.buffer.flush()


def _executed(command: str) -> Handle:
    """A shell runs it for each event: the CloudEvent on its stdin, what to choose by in its environment."""

    async def handle(entry: Entry) -> None:
        known = {"ID": str(entry.position), "TYPE": entry.type, "SUBJECT": entry.subject, "TENANT": entry.tenant}
        environment = {**os.environ, **{f"IMS_EVENT_{name}": value for name, value in known.items()}}
        process = await asyncio.create_subprocess_shell(
            command, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
        )
        try:
            async with asyncio.timeout(EXEC_SECONDS):
                _, wrong = await process.communicate(in_one_line(entry.event) + b"\n")
        finally:
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None:
                    process.kill()
        sys.stderr.buffer.write(wrong)
        if process.returncode:
            raise CommandFailed(
                f"exit code {process.returncode}: {wrong.decode(errors='replace')[-MAX_REASON:].strip()}"
            )

    return handle


def _line(entry: Entry) -> Text:
    """One line for people: position, time, tenant, type, incident, who, what changed."""
    event = entry.cloud_event
    data = event["data"]
    line = Text(f"{entry.position:>8}  ", style="bold")
    line.append(f"{event['time'][:19].replace('T', ' ')}  ", style="dim")
    line.append(f"{entry.tenant}  ", style="cyan")
    line.append(f"{entry.type.removeprefix('ims.')}  ", style="green")
    line.append(f"{entry.subject}  ", style="dim")
    line.append(event.get("actorid", "") if not data.get("erased") else "erased")
    for member, change in data.get("changes", {}).items():
        line.append(f"  {member}: ", style="dim")
        line.append(f"{_shown(change['from'])} → {_shown(change['to'])}")
    return line


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _complain(problem: str) -> None:
    print(problem, file=sys.stderr, flush=True)  # noqa: T201


def _need_redis(settings: Settings) -> None:
    if not settings.redis_url:
        raise InvalidSettings("IMS_REDIS_URL is not set: nothing is published")
