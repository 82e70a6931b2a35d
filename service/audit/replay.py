"""`ims audit replay`: events as they happened, readable, or as the log of a database to debug with."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, BinaryIO, Final, NamedTuple
from uuid import UUID, uuid4

import orjson

from domain.erased import Erased
from domain.event import Recorded
from domain.moments import utc_text
from service.audit.errors import Unknown, WouldHaveHoles
from service.audit.loading import fill
from service.audit.outcome import tell
from service.audit.reading import parts
from service.engines import open_engine
from service.progress import progress
from service.settings import Settings, load_settings
from service.store.history import told_of
from service.store.log import Log, Row
from service.store.mapper import UnreadableEvent

_OF_EVERY_EVENT: Final = {
    "originator_id", "originator_version", "originator_topic", "timestamp", "tenant_id", "user_id", "user_name",
    "command_id", "trace_id", "request_digest",
}  # fmt: skip


class Wanted(NamedTuple):
    """Positions from `first` to `last`, recorded at `until` at the latest; of one tenant, of one incident."""

    first: int = 1
    last: int | None = None
    until: datetime | None = None
    tenant: str | None = None
    incident: UUID | None = None


async def show(settings: Settings, wanted: Wanted, out: BinaryIO) -> None:
    """A line of JSON an event. Raises Unknown, Unavailable."""
    async with open_engine(settings, writing=False) as engine:
        await _known(engine.log, wanted)
        last = await _last(engine.log, wanted)
        with progress("positions", last - wanted.first + 1, hidden=out.isatty()) as done:
            async for rows in _rows(engine.log, wanted, last):
                out.write(b"".join(map(_line, rows)))
                out.flush()
                done(rows[-1].position - wanted.first + 1)


async def fill_another(settings: Settings, wanted: Wanted, url: str, *, json: bool = False) -> None:
    """The same rows in an empty database. They are another log there: what it publishes spoils no stream of this one.

    Raises WouldHaveHoles, InvalidSettings, NotEmpty, InUse, Unavailable.
    """
    if wanted.first != 1 or wanted.tenant is not None or wanted.incident is not None:
        raise WouldHaveHoles("--into takes --to and --until alone: a log has every position from 1 on")
    async with open_engine(settings, writing=False) as source, open_engine(load_settings(database_url=url)) as target:
        last = await _last(source.log, wanted)
        with progress("events", last) as done:
            rows = _counted(_rows(source.log, wanted, last), done)
            await fill(target, rows, uuid4(), restored=True, formerly=source.log.log_id)
        tell(target.log.log_id, last, json=json)


async def _known(log: Log, wanted: Wanted) -> None:
    """Raises Unknown where the log has nothing of the incident or of the tenant, whatever the positions."""
    if wanted.incident is not None and not await log.of_subject(wanted.incident, 0, 1):
        raise Unknown(f"incident {wanted.incident} is not in this log")
    if wanted.tenant is not None and not await log.of_tenant(wanted.tenant, 0, 1):
        raise Unknown(f"tenant {wanted.tenant!r} is not in this log")


async def _last(log: Log, wanted: Wanted) -> int:
    head = await log.head()
    last = head if wanted.last is None else min(wanted.last, head)
    return last if wanted.until is None else min(last, await log.position_at(wanted.until))


def _rows(log: Log, wanted: Wanted, last: int) -> AsyncIterator[list[Row]]:
    tenant, incident = wanted.tenant, wanted.incident
    if incident is not None:
        return _of(tenant, parts(lambda after, limit: log.of_subject(incident, after, limit), wanted.first, last))
    if tenant is not None:
        return parts(lambda after, limit: log.of_tenant(tenant, after, limit), wanted.first, last)
    return parts(log.read, wanted.first, last)


async def _of(tenant: str | None, batches: AsyncIterator[list[Row]]) -> AsyncIterator[list[Row]]:
    async for rows in batches:
        if tenant in (None, rows[0].tenant_id):  # an incident is of one tenant
            yield rows


async def _counted(batches: AsyncIterator[list[Row]], done: Callable[[int], None]) -> AsyncIterator[list[Row]]:
    async for rows in batches:
        yield rows
        done(rows[-1].position)


def _line(row: Row) -> bytes:
    """Of what cannot be read, its place and why."""
    try:
        line = readable(told_of(row))
    except UnreadableEvent as error:
        line = {**_place_of(row), "unreadable": str(error), "digest": row.digest.hex()}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _place_of(row: Row) -> dict[str, Any]:
    return {
        "position": row.position,
        "recorded_at": utc_text(row.recorded_at),
        "tenant": row.tenant_id,
        "topic": row.topic,
        "subject": row.subject_id,
        "aggregate": row.originator_id,
        "version": row.originator_version,
    }


def readable(fact: Recorded | Erased) -> dict[str, Any]:
    """An event by the names that people use, its content as its own members; of what was erased, what is left."""
    placed = fact if isinstance(fact, Erased) else fact.event
    line: dict[str, Any] = {
        "position": fact.position,
        "recorded_at": utc_text(fact.recorded_at),
        "tenant": placed.tenant_id,
        "topic": fact.topic if isinstance(fact, Erased) else fact.event.TOPIC,
        "subject": placed.subject_id,
        "aggregate": placed.originator_id,
        "version": placed.originator_version,
    }
    if isinstance(fact, Erased):
        return {**line, "erased": True, "digest": fact.digest.hex()}
    event = fact.event
    return {
        **line,
        "who": {"id": event.user_id, "name": event.user_name},
        "command": event.command_id,
        "trace": event.trace_id,
        "changes": event.changes(),
        "content": {name: value for name, value in vars(event).items() if name not in _OF_EVERY_EVENT},
    }
