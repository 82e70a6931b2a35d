"""The state of every part as metrics, taken when somebody looks; where the store is away, the last of it stays."""

import asyncio
from collections.abc import Iterator
from typing import Any

from projections.audit_tree import FOLLOWER as AUDIT
from projections.database import Unavailable
from projections.follower import Follower
from projections.read_models import FOLLOWER as READ_MODELS
from projections.stream import FOLLOWER as PUBLISHER
from service.aggregates import Aggregates
from service.documents import Documents
from service.lists import Lists
from service.log_queue import dropped_records
from service.parts import Parts
from service.status import follower_states

STORE_SECONDS = 2.0
"""How long the store may take to answer: Prometheus waits ten."""


async def measure(parts: Parts) -> None:
    metrics = parts.metrics
    metrics.head.set(parts.feed.head.value)
    metrics.waiting.set(parts.writer.waiting)
    metrics.read_position.set(parts.freshness.position.value)
    metrics.stopped.clear()
    for reason in parts.stops.values() or [""]:
        metrics.stopped.labels(reason).set(bool(reason))
    for condition, unmet in parts.watch.unmet.items():
        metrics.unmet.labels(condition).set(unmet)
    metrics.refusing.set(bool(parts.watch.refusal))
    metrics.log_ahead.set(max(0.0, parts.watch.lead))
    metrics.clock_offset.set(parts.watch.offset)
    metrics.counting_alone.set(bool(parts.rate_limit.error))
    metrics.streams.set(parts.tail.readers)
    metrics.streams_dropped.set(parts.tail.dropped)
    metrics.log_dropped.set(dropped_records())
    caches: dict[str, Aggregates | Documents | Lists] = {
        "aggregates": parts.aggregates, "documents": parts.documents, "lists": parts.lists,
    }  # fmt: skip
    for name, cache in caches.items():
        metrics.lookups.set(cache.hits, name, "hit")
        metrics.lookups.set(cache.misses, name, "miss")
    for use, connections in parts.pool_use().items():
        metrics.pool.labels(use).set(connections)
    if parts.auditing is not None:
        metrics.diverged.set(bool(parts.auditing.divergence))
        if parts.auditing.sampler is not None:
            metrics.verified.set(parts.auditing.sampler.position)
    await _measure_followers(parts)


async def _measure_followers(parts: Parts) -> None:
    metrics, followed = parts.metrics, dict(_followed(parts))
    try:
        async with asyncio.timeout(STORE_SECONDS):
            if parts.auditing is None and await parts.leases.given_up(AUDIT):
                del followed[AUDIT]
                metrics.forget(AUDIT)
            states = await follower_states(parts.log, parts.leases)
    except (Unavailable, TimeoutError):
        states = []
    for name, follower in followed.items():
        if follower is not None:
            metrics.held.labels(name).set(follower.holding)
            metrics.outdated.labels(name).set(bool(follower.outdated))
    for state in states:
        name = state["name"]
        if name in followed:  # an older release's row stays where it was, and is nobody's lag
            if followed[name] is None:
                metrics.held.labels(name).set(0)
            metrics.position.labels(name).set(state["position"])
            metrics.lag_events.labels(name).set(state["lag_events"])
            metrics.lag_seconds.labels(name).set(state["lag_seconds"])
            metrics.failing.labels(name).set(state["failure"] is not None)


def _followed(parts: Parts) -> Iterator[tuple[str, Follower[Any] | None]]:
    """What this service has followers for, and the follower where this process has one.

    Whether there are auditors no setting tells the others: where the last one gave its lease up, there are none.
    """
    yield READ_MODELS, parts.follower
    yield AUDIT, parts.auditing and parts.auditing.follower
    if parts.settings.redis_url and parts.settings.streams:
        yield PUBLISHER, parts.publisher and parts.publisher.follower
