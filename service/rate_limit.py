"""Requests per tenant: counted here, or in Redis where there is one, so that several processes share a limit."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from service.streams.address import Address, parse

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.strategies import FixedWindowRateLimiter

ANSWER_SECONDS = 0.05
"""How long a request may be kept by counting it."""
AWAY_SECONDS = 2.0
"""For so long nobody is counted once Redis did not answer; then one request at a time tries again."""

_log = structlog.get_logger(__name__)


class RateLimit:
    """`limit` as in `500/second`; None for no limit. A Redis that is away or slow lets everybody pass."""

    def __init__(self, limit: str | None, redis_url: str, ca_file: Path | None = None) -> None:
        self._item: RateLimitItem | None = None
        self._limiter: FixedWindowRateLimiter | None = None
        self._cluster: Callable[[], FixedWindowRateLimiter] | None = None
        """Makes what counts on a cluster, until it is known whether it is one."""
        self._away_until = 0.0
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
        if self._away_until:
            self._away_until = now + AWAY_SECONDS  # this request tries, the others need not
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                allowed = await self._limiter.hit(self._item, tenant_id)
        except Exception as error:  # noqa: BLE001 - whatever the store's client raises must not stop the API
            if self._cluster is not None and type(error).__name__ == "MovedError":
                self._limiter, self._cluster = self._cluster(), None
                return True
            self._away_until = now + AWAY_SECONDS
            _log.warning("rate_limit_unavailable", error=type(error).__name__)
            return True
        self._away_until = 0.0
        return allowed


def _limiter(limit: str, redis_url: str, ca_file: Path | None) -> "tuple[RateLimitItem, FixedWindowRateLimiter]":
    # Imported where a limit is set: the library takes a tenth of a second to load, which the default start can save.
    from limits import parse as parse_limit  # noqa: PLC0415
    from limits.aio.storage import MemoryStorage, RedisSentinelStorage, RedisStorage  # noqa: PLC0415
    from limits.aio.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    if not redis_url:
        return parse_limit(limit), FixedWindowRateLimiter(MemoryStorage())
    address, options = _asked(redis_url, ca_file)
    if not address.master:
        storage = RedisStorage(f"async+{redis_url}", implementation="redispy", **options)
        return parse_limit(limit), FixedWindowRateLimiter(storage)
    places = urlsplit(redis_url).netloc
    if address.tls:
        options["ssl"] = True
    sentinels = RedisSentinelStorage(
        f"async+redis+sentinel://{places}/{address.master}", implementation="redispy", use_replicas=False, **options
    )
    return parse_limit(limit), FixedWindowRateLimiter(sentinels)


def _on_cluster(redis_url: str, ca_file: Path | None) -> "FixedWindowRateLimiter":
    """A cluster is asked by its first node, as any server, and tells by its refusal to answer for others what it is."""
    from limits.aio.storage import RedisClusterStorage  # noqa: PLC0415
    from limits.aio.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    address, options = _asked(redis_url, ca_file)
    if address.tls:
        options["ssl"] = True
    places = urlsplit(redis_url).netloc
    return FixedWindowRateLimiter(
        RedisClusterStorage(f"async+redis+cluster://{places}", implementation="redispy", **options)
    )


def _asked(redis_url: str, ca_file: Path | None) -> tuple[Address, dict[str, Any]]:
    """Where Redis is, and what its client has to be told besides."""
    address = parse(redis_url, ca_file)
    return address, {"ssl_ca_certs": str(ca_file)} if address.tls and ca_file is not None else {}
