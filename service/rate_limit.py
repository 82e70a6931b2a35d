"""Requests per tenant: counted here, or in Redis where there is one, so that several processes share a limit."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from service.streams.address import Address, parse

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.strategies import FixedWindowRateLimiter

ANSWER_SECONDS = 0.05
"""How long a request may be kept by counting it."""
AWAY_SECONDS = 2.0
"""For so long nobody is counted once Redis did not answer; then one request at a time tries again."""
REFUSED_SECONDS = 1.0
"""For so long at most a tenant that is over its limit is refused without being counted."""
MAX_REFUSED = 10_000
"""Tenants of which that is remembered."""

_log = structlog.get_logger(__name__)


class RateLimit:
    """`limit` as in `500/second`; None for no limit. A Redis that is away or slow lets everybody pass."""

    def __init__(self, limit: str | None, redis_url: str, ca_file: Path | None = None) -> None:
        self._item: RateLimitItem | None = None
        self._limiter: FixedWindowRateLimiter | None = None
        self._cluster: Callable[[], FixedWindowRateLimiter] | None = None
        """Makes what counts on a cluster, until it is known whether it is one."""
        self._away_until = 0.0
        self._refused: OrderedDict[str, float] = OrderedDict()
        """Until when (Unix seconds) a tenant is refused without being counted again."""
        if limit:
            self._item, self._limiter = _limiter(limit, redis_url, ca_file)
            if redis_url:
                self._cluster = partial(_on_cluster, redis_url, ca_file)

    @property
    def off(self) -> bool:
        return self._item is None

    @property
    def window(self) -> int:
        """Seconds until the limit begins anew, at most."""
        return self._item.get_expiry() if self._item else 0

    async def allows(self, tenant_id: str) -> bool:
        now = asyncio.get_running_loop().time()
        if self._item is None or self._limiter is None or now < self._away_until:
            return True
        if self._is_refused(tenant_id):
            return False
        tries = bool(self._away_until)
        if tries:
            self._away_until = now + AWAY_SECONDS  # this request tries, the others need not
        allowed = True
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                allowed = await self._limiter.hit(self._item, tenant_id)
                if not allowed:
                    await self._refuse(self._limiter, self._item, tenant_id)
        except Exception as error:  # noqa: BLE001 - whatever the store's client raises must not stop the API
            if self._cluster is not None and type(error).__name__ == "MovedError":
                self._limiter, self._cluster = self._cluster(), None
                return True
            if tries or self._away_until <= now:  # else another of those that waited has said it
                _log.warning("rate_limit_unavailable", error=type(error).__name__)
            self._away_until = now + AWAY_SECONDS
            return allowed
        self._away_until = 0.0
        return allowed

    def _is_refused(self, tenant_id: str) -> bool:
        until = self._refused.get(tenant_id)
        return until is not None and until - REFUSED_SECONDS <= time.time() < until

    async def _refuse(self, limiter: "FixedWindowRateLimiter", item: "RateLimitItem", tenant_id: str) -> None:
        """Until the window ends, for a moment at most: its counter may be reset by hand."""
        window = await limiter.get_window_stats(item, tenant_id)
        now = time.time()
        self._refused[tenant_id] = min(window.reset_time, now + REFUSED_SECONDS)
        self._refused.move_to_end(tenant_id)
        while len(self._refused) > MAX_REFUSED:
            self._refused.popitem(last=False)


def _limiter(limit: str, redis_url: str, ca_file: Path | None) -> "tuple[RateLimitItem, FixedWindowRateLimiter]":
    # Imported where a limit is set: the library takes a tenth of a second to load, which the default start can save.
    from limits import parse as parse_limit  # noqa: PLC0415
    from limits.aio.storage import MemoryStorage, RedisSentinelStorage, RedisStorage  # noqa: PLC0415
    from limits.aio.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    if not redis_url:
        return parse_limit(limit), FixedWindowRateLimiter(MemoryStorage())
    address, options = _asked(redis_url, ca_file)
    options["db"] = address.db
    if not address.master:
        scheme = "rediss" if address.tls else "redis"
        storage = RedisStorage(f"async+{scheme}://{address.places}", implementation="redispy", **options)
        return parse_limit(limit), FixedWindowRateLimiter(storage)
    if address.tls:
        options["ssl"] = True
    sentinels = RedisSentinelStorage(
        f"async+redis+sentinel://{address.places}/{address.master}",
        implementation="redispy", use_replicas=False, **options,
    )  # fmt: skip
    return parse_limit(limit), FixedWindowRateLimiter(sentinels)


def _on_cluster(redis_url: str, ca_file: Path | None) -> "FixedWindowRateLimiter":
    """A cluster is asked by its first node, as any server, and tells by its refusal to answer for others what it is."""
    from limits.aio.storage import RedisClusterStorage  # noqa: PLC0415
    from limits.aio.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    address, options = _asked(redis_url, ca_file)
    if address.tls:
        options["ssl"] = True
    return FixedWindowRateLimiter(
        RedisClusterStorage(f"async+redis+cluster://{address.places}", implementation="redispy", **options)
    )


def _asked(redis_url: str, ca_file: Path | None) -> tuple[Address, dict[str, Any]]:
    """Where Redis is, and what its client has to be told besides: sentinels are asked without a password."""
    address = parse(redis_url, ca_file)
    options: dict[str, Any] = {"username": address.username, "password": address.password}
    options = {name: value for name, value in options.items() if value is not None}
    if address.tls and ca_file is not None:
        options["ssl_ca_certs"] = str(ca_file)
    return address, options
