"""`ims audit history`, `show` and `diff`: tables for people, JSON for programs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from service.audit.incident_past import IncidentPast
from service.audit.tables import difference_table, history_table, state_table
from service.console import output, wide_console
from service.engines import open_engine
from service.settings import Settings


async def history(settings: Settings, id: UUID, *, json: bool) -> None:
    async with _past(settings, id) as past:
        async for changes in past.history():
            if json:
                _print(*changes)
            else:
                wide_console().print(history_table(changes))


async def show(settings: Settings, id: UUID, version: int | None, at: datetime | None, *, json: bool) -> None:
    async with _past(settings, id) as past:
        state = await (past.at_version(version) if at is None else past.as_of(at))
    if json:
        _print(state)
    else:
        wide_console().print(state_table(state))


async def diff(settings: Settings, id: UUID, before: int, after: int, *, json: bool) -> None:
    async with _past(settings, id) as past:
        changes = await past.difference(before, after)
    if json:
        _print({"from": before, "to": after, "changes": changes})
    else:
        wide_console().print(difference_table(changes, before, after))


@asynccontextmanager
async def _past(settings: Settings, id: UUID) -> AsyncIterator[IncidentPast]:
    async with open_engine(settings, writing=False) as engine:
        yield IncidentPast(engine.log, id)


def _print(*lines: Any) -> None:
    out = output()
    out.write(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    out.flush()
