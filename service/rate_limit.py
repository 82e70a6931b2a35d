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
LEAST_SECONDS = 0.001
"""What a tenant that is over has to wait at least, where its window ends this very moment."""
ROUNDED_SECONDS = 0.5
"""Redis tells the end of a window to the next whole second, earlier or later."""
MAX_REFUSED = 10_000
"""Tenants of which that is remembered."""

_log = structlog.get_logger(__name__)


class RateLimit:
    """`limit` as in `500/second`; None for no limit. While Redis is away, slow or full each process counts for itself.

    A window begins with a tenant's first request. So within the length of one, across the end of a window, at most
    twice the limit passes.
    """

    def __init__(self, limit: str | None, redis_url: str, ca_file: Path | None = None) -> None:
        self.error = ""
        """Why this process counts for itself although there is a Redis; empty while all is well."""
        self._item: RateLimitItem | None = None
        self._own: FixedWindowRateLimiter | None = None
        self._shared: FixedWindowRateLimiter | None = None
        """Counts in Redis, where there is one."""
        self._cluster: Callable[[], FixedWindowRateLimiter] | None = None
        """Makes what counts on a cluster, until it is known whether it is one."""
        self._away_until = 0.0
        self._refused: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Until when (Unix seconds) a tenant is refused without being counted again, and when its window ends."""
        if limit:
            self._item, self._own = _of_this_process(limit)
            if redis_url:
                self._shared, self._cluster = _in_redis(redis_url, ca_file), partial(_on_cluster, redis_url, ca_file)

    @property
    def off(self) -> bool:
        return self._item is None

    def status(self) -> dict[str, object]:
        """For people: the limit, and who counts."""
        shared = self._shared is not None and not self.error
        return {"limit": str(self._item), "counted_by": "redis" if shared else "process", "error": self.error or None}

    async def seconds_left(self, tenant_id: str) -> float:
        """Count a request: 0 where it may go on, else until the tenant may send the next."""
        if self._item is None or self._own is None:
            return 0.0
        if (left := self._known_to_be_over(tenant_id)) > 0:
            return left
        now = asyncio.get_running_loop().time()
        if self._shared is None or now < self._away_until:
            return await self._count(self._own, self._item, tenant_id)
        if self._away_until:
            self._away_until = now + AWAY_SECONDS  # this request tries, the others need not
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                left = await self._count(self._shared, self._item, tenant_id, ROUNDED_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever the store's client raises must not stop the API
            if self._cluster is not None and type(error).__name__ == "MovedError":
                self._shared, self._cluster = self._cluster(), None
            else:
                self._fall_back(now, type(error).__name__)
            return await self._count(self._own, self._item, tenant_id)
        if self.error:
            _log.info("rate_limit_available")
        self._away_until, self.error = 0.0, ""
        return left

    def _fall_back(self, now: float, error: str) -> None:
        if not self.error:  # else it was said
            _log.warning("rate_limit_unavailable", error=error, counted_by="process")
        self._away_until, self.error = now + AWAY_SECONDS, error

    def _known_to_be_over(self, tenant_id: str) -> float:
        again, ends = self._refused.get(tenant_id, (0.0, 0.0))
        now = time.time()
        return ends - now if again - REFUSED_SECONDS <= now < again else 0.0

    async def _count(
        self, limiter: "FixedWindowRateLimiter", item: "RateLimitItem", tenant_id: str, rounded: float = 0.0
    ) -> float:
        """A tenant that is over is refused until its window ends, for a moment at most without being counted: its
        counter may be reset by hand. `rounded`: seconds that the end may be later than is said."""
        if await limiter.hit(item, tenant_id):
            return 0.0
        ends, now = (await limiter.get_window_stats(item, tenant_id)).reset_time + rounded, time.time()
        self._refused[tenant_id] = min(ends, now + REFUSED_SECONDS), ends
        self._refused.move_to_end(tenant_id)
        while len(self._refused) > MAX_REFUSED:
            self._refused.popitem(last=False)
        return max(ends - now, LEAST_SECONDS)


def _of_this_process(limit: str) -> "tuple[RateLimitItem, FixedWindowRateLimiter]":
    # Imported where a limit is set: the library takes a tenth of a second to load, which the default start can save.
    from limits import parse as parse_limit  # noqa: PLC0415
    from limits.aio.storage import MemoryStorage  # noqa: PLC0415
    from limits.aio.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    return parse_limit(limit), FixedWindowRateLimiter(MemoryStorage())


def _in_redis(redis_url: str, ca_file: Path | None) -> "FixedWindowRateLimiter":
    from limits.aio.storage import RedisSentinelStorage, RedisStorage  # noqa: PLC0415
    from limits.aio.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    address, options = _asked(redis_url, ca_file)
    options["db"] = address.db
    if not address.master:
        scheme = "rediss" if address.tls else "redis"
        storage = RedisStorage(f"async+{scheme}://{address.places}", implementation="redispy", **options)
        return FixedWindowRateLimiter(storage)
    if address.tls:
        options["ssl"] = True
    sentinels = RedisSentinelStorage(
        f"async+redis+sentinel://{address.places}/{address.master}",
        implementation="redispy", use_replicas=False, **options,
    )  # fmt: skip
    return FixedWindowRateLimiter(sentinels)


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
