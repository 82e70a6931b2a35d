"""Tables that nobody reads yet, filled from the log by one follower."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from projections.database import Unavailable
from projections.follower import LOOK_SECONDS, Follower, Placed
from projections.lease import Lease, LeaseLost, Leases
from projections.loading import FOLDED, Loading
from projections.remembered import Remembered
from service import kept_json
from service.engines import Engine
from service.generations import read_models
from service.yielding import Yielding

REMEMBERED_BYTES = 4_000_000
"""Of the documents of incidents that changed lately; with the rest of their rows it is some times as much."""
ATTEMPTS = 5
"""Times that the database may turn out to be away on the way to one goal."""


async def fill(
    engine: Engine, leases: Leases, lease: Lease, until: int, feed: Yielding[Placed], done: Callable[[int], None]
) -> Lease:
    """From where the lease is to a position. A database that is away for a moment, or has ended a session that was
    paused, is asked again.

    Raises LeaseLost, Stopped, Unavailable.
    """
    for again in range(ATTEMPTS):
        models = read_models(engine, lease.generation, Remembered(kept_json, REMEMBERED_BYTES))
        loading = Loading(engine.database, leases, models, time.monotonic)
        follower = Follower(
            lease.name, feed, loading, leases, lambda _, position: done(position), lambda *_: None, batch=FOLDED
        )
        try:
            return replace(lease, position=await follower.follow(lease, until))
        except Unavailable:
            if again == ATTEMPTS - 1:
                raise
        finally:
            await loading.close()
            feed.forget()
        await asyncio.sleep(LOOK_SECONDS)
        lease = replace(lease, position=await _reached(leases, lease.name))
    raise AssertionError("unreachable")


async def _reached(leases: Leases, name: str) -> int:
    """How far what was committed is."""
    state = await leases.state(name)
    if state is None:
        raise LeaseLost
    return state.position
