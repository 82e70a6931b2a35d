"""Who follows the log: the leases of this process, whatever it is for."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from projections import generations, lease
from projections.lease import Leases
from projections.read_models import FOLLOWER
from service.engines import Engine
from service.store.log import InUse


async def open_leases(engine: Engine) -> Leases:
    """The leases of this process, and a row for every follower."""
    await engine.database.define([*lease.tables(engine.database.dialect), *generations.tables(engine.database.dialect)])
    holder = f"{socket.gethostname()}:{os.getpid()}"
    leases = Leases(engine.database, holder, str(engine.log.log_id), exclusive=engine.exclusive)
    await leases.register(FOLLOWER)
    return leases


@asynccontextmanager
async def idle_leases(engine: Engine) -> AsyncIterator[Leases]:
    """The same, for what must not be done while a process of the service runs, or anybody follows the log; none begins
    to meanwhile. Raises InUse.
    """
    async with engine.alone():
        leases = await open_leases(engine)
        for state in await leases.states():
            if state.holder and not engine.exclusive:
                raise InUse(f"{state.name} is followed by {state.holder}: stop every process of the service first")
        yield leases
