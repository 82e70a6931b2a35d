"""Who follows the log: the leases of this process, whatever it is for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from projections import applied_events, follower_state, generations
from projections.lease import Leases
from projections.read_models import FOLLOWER
from service.engines import Engine
from service.holder import is_gone, own_name, shown
from service.store.errors import InUse

_log = structlog.get_logger(__name__)


async def open_leases(engine: Engine) -> Leases:
    """The leases of this process, and a row for every follower."""
    dialect = engine.database.dialect
    tables = [made for kind in (follower_state, applied_events, generations) for made in kind.tables(dialect)]
    await engine.database.define(tables)
    leases = Leases(
        engine.database, own_name(), engine.log, exclusive=engine.exclusive, noticed=_noticed, is_gone=is_gone
    )
    await leases.register(FOLLOWER)
    return leases


def _noticed(event: str, what: str) -> None:
    _log.warning(event, detail=what)


@asynccontextmanager
async def idle_leases(engine: Engine) -> AsyncIterator[Leases]:
    """The same, for what must not be done while a process of the service runs, or anybody follows the log; none begins
    to meanwhile. Raises InUse.
    """
    async with engine.alone():
        leases = await open_leases(engine)
        for state in await leases.states():
            if state.holder and not engine.exclusive:
                raise InUse(
                    f"{state.name} is followed by {shown(state.holder)}: stop every process of the service first"
                )
        yield leases
