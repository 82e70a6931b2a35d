"""How often an address may be refused for want of a token that is taken: beyond, it is refused without a look.

Counted in this process alone, in windows that begin with the first refusal. Who is known by his token is never counted
here, wherever he sends from.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

MAX_ADDRESSES: Final = 100_000
"""Addresses that are counted, of those that were refused last."""
MAX_HOPS: Final = 20
"""Members of X-Forwarded-For that are looked at, the last ones."""
NETWORK_BITS: Final = 64
"""Of an IPv6 address: one client has all that begin with them."""

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}

Network = IPv4Network | IPv6Network


class AnonymousLimit:
    """`limit` as in `100/minute`; empty: there is none. `proxies`: whose word is taken on where a request comes from.
    The clock gives seconds."""

    def __init__(self, limit: str, proxies: Sequence[Network], clock: Callable[[], float] = time.monotonic) -> None:
        number, _, unit = limit.partition("/")
        self.off = not limit
        self._number, self._window = (int(number), _SECONDS[unit]) if limit else (0, 0)
        self._proxies, self._clock = proxies, clock
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """When the window of an address ends, and how often it was refused in it."""

    def seconds_left(self, address: str) -> float:
        """Until it may try again; 0 where it may now."""
        ends, number = self._counted.get(address, (0.0, 0))
        return max(0.0, ends - self._clock()) if number >= self._number else 0.0

    def count(self, address: str) -> None:
        """It was refused."""
        now = self._clock()
        ends, number = self._counted.get(address, (0.0, 0))
        self._counted[address] = (ends, number + 1) if now < ends else (now + self._window, 1)
        self._counted.move_to_end(address)
        if len(self._counted) > MAX_ADDRESSES:
            self._counted.popitem(last=False)

    def address_of(self, peer: str | None, forwarded: Sequence[str]) -> str:
        """Where a request comes from: its connection or, behind proxies, the last address that none of them has.

        `forwarded`: the lines of X-Forwarded-For, to whose end each proxy adds whom it heard; what stands before the
        first that is not ours, anybody may have written.
        """
        address = _parsed(peer or "")
        hops = [hop.strip() for line in forwarded for hop in line.split(",")][-MAX_HOPS:]
        while address is not None and hops and self._is_proxy(address):
            before = _parsed(hops.pop())
            if before is None:
                break
            address = before
        return _group(address)

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Some proxies add the port, `1.2.3.4:5678` or `[::1]:5678`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _group(address: IPv4Address | IPv6Address | None) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> NETWORK_BITS << NETWORK_BITS, NETWORK_BITS)))
    return str(address)
