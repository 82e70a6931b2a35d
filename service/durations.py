"""Durations as people write them on the command line: 30m, 12h, 7d."""

import re
from datetime import timedelta

_DURATION = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class NotADuration(Exception):
    """Text that was to be one; the message names the option."""


def duration(option: str, text: str) -> timedelta:
    """Raises NotADuration."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise NotADuration(f"{option} takes a number and s, m, h or d, such as 12h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
