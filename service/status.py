"""The state of every part, for people: positions, lags, who holds which lease, the last error."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from projections.audit_tree import FOLLOWER as AUDIT_TREE
from projections.database import Unavailable
from projections.follower_state import FollowerState
from projections.lease import Leases
from projections.read_models import FOLLOWER as READ_MODELS
from projections.stream import FOLLOWER as PUBLISHER
from service.holder import shown
from service.parts import Parts
from service.store.log import Log
from service.store.mapper import UnreadableEvent

FOLLOWERS: Final = (READ_MODELS, AUDIT_TREE, PUBLISHER)
"""Those that nobody goes on with where the log does not hold what they applied: what others left is begun anew."""


async def follower_states(log: Log, leases: Leases) -> list[dict[str, Any]]:
    """Each follower's position and lag, in events and in seconds, and what keeps it. Raises Unavailable."""
    found = []
    for state in await leases.states():
        problem = await leases.disagreement(state) if state.name in FOLLOWERS else ""
        found.append(replace(state, failure=problem or state.failure))
    head = await log.head()
    return [await _with_lag(log, state, head) for state in found]


async def status_of(parts: Parts) -> dict[str, Any]:
    status: dict[str, Any] = {
        "runs": list(parts.settings.run),
        "store": "postgresql" if parts.settings.postgres else "sqlite",
        "log": {"id": str(parts.log.log_id), "head": parts.feed.head.value},
        "writer": {"waiting": parts.writer.waiting},
        "signing_in": parts.authenticator.status(),
        "rate_limit": None if parts.rate_limit.off else parts.rate_limit.status(),
        "conditions": parts.watch.status(),
        "clock": {
            "log_ahead_seconds": round(parts.watch.lead, 3),
            "behind_database_seconds": round(parts.watch.offset, 3),
        },
        "error": parts.stopped or parts.outdated or parts.freshness.fault or parts.watch.refusal or None,
    }
    if parts.auditing is not None:
        status["audit"] = {"divergence": parts.auditing.divergence or None}
        if parts.auditing.sampler is not None:
            status["audit"] |= {"position": parts.auditing.sampler.position, "rounds": parts.auditing.sampler.rounds}
    try:
        status["followers"] = await follower_states(parts.log, parts.leases)
    except Unavailable:
        status["error"] = status["error"] or "the store does not answer"
    return status


async def _with_lag(log: Log, state: FollowerState, head: int) -> dict[str, Any]:
    lag = max(0, head - state.position)
    try:
        waiting = await log.read(state.position, 1) if lag else []
    except UnreadableEvent:  # what keeps the follower, too
        waiting = []
    seconds = (datetime.now(UTC) - waiting[0].recorded_at).total_seconds() if waiting else 0.0
    return {
        "name": state.name,
        "generation": state.generation,
        "position": state.position,
        "lag_events": lag,
        "lag_seconds": round(max(0.0, seconds), 3),
        "holder": shown(state.holder) or None,
        "failure": state.failure or None,
    }
