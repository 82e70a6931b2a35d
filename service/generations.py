"""The tables of all generations and releases: making them, which are used, and dropping those that are not."""

import asyncio

import structlog

from projections.database import Unavailable
from projections.generations import KeptGeneration, existing, removal
from projections.lease import Leases
from projections.read_models import FOLLOWER, REBUILD, VERSION, ReadModels, follower_of
from projections.remembered import Remembered
from service import kept_json
from service.engines import Engine
from service.holder import shown

LOOK_SECONDS = 60.0
"""How often it is looked whether the time of kept tables is over."""

_log = structlog.get_logger(__name__)


def read_models(engine: Engine, generation: int, remembered: Remembered | None = None) -> ReadModels:
    return ReadModels(engine.database.dialect, kept_json, generation, remembered)


async def define(engine: Engine, models: ReadModels) -> None:
    """The tables of one generation, and what they are found by."""
    await engine.database.define([*models.tables(), *models.indexes()])


async def of_this_release(engine: Engine) -> dict[int, list[str]]:
    """The names of the tables of each generation. Raises Unavailable."""
    there = await existing(engine.database)
    return {one.number: names for one, names in there.items() if one.version == VERSION}


async def drop_unused(engine: Engine, leases: Leases) -> None:
    """Tables of this release that are neither live, nor being built, nor kept."""
    used = {state.generation for state in await leases.states() if state.name in (FOLLOWER, REBUILD)}
    if kept := await KeptGeneration(engine.database, FOLLOWER).get():
        used.add(kept.generation)
    await leases.forget_tables(FOLLOWER, used)
    there = await of_this_release(engine)
    await engine.database.define(removal([name for number in there.keys() - used for name in there[number]]))


async def drop_kept(engine: Engine, leases: Leases) -> None:
    async with engine.database.transaction(durable=True) as rows:
        await KeptGeneration(engine.database, FOLLOWER).forget(rows)
    await drop_unused(engine, leases)


async def drop_older(engine: Engine, leases: Leases) -> list[str]:
    """Tables of older releases, unless somebody follows the log with them; returns who does."""
    holders = {state.name: state.holder for state in await leases.states()}
    followed = []
    for generation, names in (await existing(engine.database)).items():
        follower = follower_of(generation.version)
        if generation.version >= VERSION:
            continue
        if holders.get(follower):
            followed.append(f"{follower} is followed by {shown(holders[follower])}")
        else:
            await engine.database.define(removal(names))
    return sorted(set(followed))


async def expire(engine: Engine, leases: Leases) -> None:
    """For ever: drop kept tables when their time is over."""
    while True:
        try:
            kept = KeptGeneration(engine.database, FOLLOWER)
            if await kept.shorten():
                _log.warning("kept_tables_of_a_clock_ahead", follower=FOLLOWER, advice="their time begins now")
            if await kept.expire():
                await drop_unused(engine, leases)
        except Unavailable as error:
            _log.warning("kept_tables_wait", error=str(error))
        await asyncio.sleep(LOOK_SECONDS)
