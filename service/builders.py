"""Whoever builds something anew: one at a time, by a lease that those who were killed hold for a moment longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from typing import Protocol

from projections.follower import LOOK_SECONDS
from projections.follower_state import LEASE_SECONDS, FollowerState
from projections.lease import Lease, LeaseLost, Leases
from service.store.errors import InUse

RUNNING = "another rebuild is running"


async def builders_lease(leases: Leases, name: str) -> tuple[Lease, FollowerState]:
    """With how it was left by whoever built before. Raises InUse."""
    await leases.register(name, generation=0)
    before = await leases.state(name)
    lease = await _lease(leases, name)
    if lease is None or before is None:
        raise InUse(RUNNING)
    return lease, before


class Builder(Protocol):
    @property
    def lease(self) -> Lease: ...


@asynccontextmanager
async def held(leases: Leases, builder: Builder) -> AsyncIterator[None]:
    """The lease is given back at the end. Raises InUse where somebody else has taken it meanwhile."""
    try:
        yield
    except LeaseLost:
        raise InUse(RUNNING) from None
    finally:
        await leases.release(builder.lease)


async def _lease(leases: Leases, name: str) -> Lease | None:
    """Who was killed holds it for a moment longer; who works moves on meanwhile, or renews it."""
    first = await leases.state(name)
    for _ in range(ceil(LEASE_SECONDS / LOOK_SECONDS) + 1):
        lease = await leases.acquire(name, anew=True)
        if lease is not None:
            return lease
        await asyncio.sleep(LOOK_SECONDS)
        now = await leases.state(name)
        if first is None or now is None or (now.epoch, now.position) != (first.epoch, first.position):
            return None
    return None
