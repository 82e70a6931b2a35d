"""Compressed bodies: unpacked only when asked for, beside the event loop, and never beyond a limit."""

import zlib
from typing import Final

MAX_MEMBERS: Final = 16
"""Members of a gzip body (RFC 1952, 2.2), which any writer makes one of: each costs the whole rest to be copied."""

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_COMPRESS_METHOD: Final = 8
"""In the first byte of what has a head (RFC 1950, 2.2); many writers of `deflate` send none."""


class TooMuch(Exception):
    """It unpacks to more than may be."""


class Damaged(Exception):
    """It cannot be unpacked; the text says why."""


def inflated(data: bytes, encoding: str, limit: int) -> bytes:
    """`encoding`: gzip or deflate. `limit`: bytes, of which no more than one too many are ever unpacked.

    Raises TooMuch, Damaged.
    """
    window = _GZIP_WINDOW if encoding == "gzip" else zlib.MAX_WBITS
    if encoding == "deflate" and data[:1] and data[0] & 0xF != _COMPRESS_METHOD:
        window = -zlib.MAX_WBITS
    found = b""
    for _ in range(MAX_MEMBERS):
        unpacking = zlib.decompressobj(window)
        try:
            found += unpacking.decompress(data, limit + 1 - len(found))
        except zlib.error:
            raise Damaged(f"it is not {encoding}, or damaged") from None
        if len(found) > limit:
            raise TooMuch
        if not unpacking.eof:
            raise Damaged(f"its {encoding} breaks off")
        data = unpacking.unused_data
        if not data:
            return found
        if encoding != "gzip":
            raise Damaged("something follows its end")
    raise Damaged(f"it has more than {MAX_MEMBERS} gzip members")
