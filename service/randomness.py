"""Random ids and salts. The system is asked for randomness by the kilobyte: one system call for many of them."""

import os
from uuid import UUID

from service.store.ids import uuid_of

RESERVE_BYTES = 4_096
"""What is asked for at once. Nothing is used twice: this process does not fork."""

_FREE_BITS = ~(0xF000 << 64 | 0xC000 << 48)
_VERSION_4 = 0x4000 << 64 | 0x8000 << 48

_reserve = b""
_used = 0


def random_bytes(count: int) -> bytes:
    """From the system's cryptographic source, at most RESERVE_BYTES. Only for the thread of the event loop."""
    global _reserve, _used  # noqa: PLW0603 - one reserve for the process
    end = _used + count
    if end > len(_reserve):
        _reserve, _used, end = os.urandom(RESERVE_BYTES), 0, count
    taken = _reserve[_used:end]
    _used = end
    return taken


def random_id() -> UUID:
    """Version 4 (RFC 9562)."""
    return uuid_of(int.from_bytes(random_bytes(16)) & _FREE_BITS | _VERSION_4)


def random_trace_id() -> str:
    """32 hexadecimal digits, as W3C Trace Context has them."""
    return random_bytes(16).hex()
