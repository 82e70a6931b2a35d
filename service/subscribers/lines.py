"""JSON in one line, for readers that break lines at more characters than line feeds."""

from typing import Final

_BREAKS: Final = tuple((text.encode(), f"\\u{ord(text):04x}".encode()) for text in ("\x85", "\u2028", "\u2029"))
"""What Unicode has as line breaks beside those that JSON escapes by itself, in UTF-8, and their escapes in JSON."""


def in_one_line(json: bytes) -> bytes:
    """The same JSON in UTF-8. Beside JSON's syntax, which is ASCII, these can only stand in texts."""
    if json.isascii():
        return json
    for line_break, escape in _BREAKS:
        json = json.replace(line_break, escape)
    return json
