"""Requests per tenant: counted here, or in Redis where there is one, so that several processes share a limit."""

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.strategies import FixedWindowRateLimiter

_log = structlog.get_logger(__name__)


class RateLimit:
    """`limit` as in `500/second`; None for no limit. A Redis that is away lets everybody pass."""

    def __init__(self, limit: str | None, redis_url: str) -> None:
        self._item: RateLimitItem | None = None
        self._limiter: FixedWindowRateLimiter | None = None
        if limit:
            self._item, self._limiter = _limiter(limit, redis_url)

    @property
    def off(self) -> bool:
        return self._item is None

    @property
    def window(self) -> int:
        """Seconds until the limit begins anew, at most."""
        return self._item.get_expiry() if self._item else 0

    async def allows(self, tenant_id: str) -> bool:
        if self._item is None or self._limiter is None:
            return True
        try:
            return await self._limiter.hit(self._item, tenant_id)
        except Exception as error:  # noqa: BLE001 - whatever the store's client raises must not stop the API
            _log.warning("rate_limit_unavailable", error=type(error).__name__)
            return True


def _limiter(limit: str, redis_url: str) -> "tuple[RateLimitItem, FixedWindowRateLimiter]":
    # Imported where a limit is set: the library takes a tenth of a second to load, which the default start can save.
    from limits import parse  # noqa: PLC0415
    from limits.aio.storage import MemoryStorage, RedisStorage  # noqa: PLC0415
    from limits.aio.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    storage = RedisStorage(f"async+{redis_url}", implementation="redispy") if redis_url else MemoryStorage()
    return parse(limit), FixedWindowRateLimiter(storage)
