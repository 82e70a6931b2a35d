"""Newline-delimited JSON: one document a line, whatever a reader takes for the end of a line."""

from collections.abc import Sequence
from typing import Final

_BREAKS: Final = tuple((end.encode(), b"\\u%04x" % ord(end)) for end in "\u0085\u2028\u2029")
"""Ends of lines for Unicode, and for `str.splitlines`, that JSON leaves as they are; they only occur in texts."""


class NewlineDelimited:
    """Documents, as JSON, to lines."""

    head: Final = b""

    def lines(self, documents: Sequence[bytes]) -> bytes:
        return b"".join([in_one_line(document) + b"\n" for document in documents])


def in_one_line(document: bytes) -> bytes:
    """The same JSON without a character that ends a line."""
    if not document.isascii():
        for end, escaped in _BREAKS:
            document = document.replace(end, escaped)
    return document
