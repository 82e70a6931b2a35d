"""Newline-delimited JSON: one document a line, whatever a reader takes for the end of a line."""

from collections.abc import Sequence
from typing import Final

from service.subscribers.lines import in_one_line


class NewlineDelimited:
    """Documents, as JSON, to lines."""

    head: Final = b""

    def lines(self, documents: Sequence[bytes]) -> bytes:
        return b"".join([in_one_line(document) + b"\n" for document in documents])
