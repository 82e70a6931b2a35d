"""Times as clients send them: RFC 3339 with an offset, kept as sent, compared by the instant they name.

What RFC 3339 and ISO 8601 write otherwise is taken too, and stored in this one form: `t` and `z` in lower case, offsets
without a colon (`+0800`) or minutes (`+08`).
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache

# The form in which a time is stored.
MOMENT_PATTERN = r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
FIRST_YEAR, LAST_YEAR = 1000, 2999
NANOSECOND_DIGITS = 9

_moment = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)"
)
_FRACTION = len(".000000Z")
_TWO_DIGITS = tuple(f"{number:02}" for number in range(60))


def moment_text(text: str) -> str:
    """The time as it is stored: as it was sent, but for what is not written as MOMENT_PATTERN has it.

    What is no time comes back as it is.
    """
    match = _moment.fullmatch(text)
    return text if match is None else f"{text[:10]}T{text[11 : match.start(2)]}{_offset(match[2])}"


def _offset(offset: str) -> str:
    return "Z" if offset in "Zz" else f"{offset[:3]}:{offset[3:].removeprefix(':') or '00'}"


@lru_cache(maxsize=1024)
def instant(text: str) -> str:
    """The instant of an RFC 3339 time as UTC text with nine digits, so that instants sort as text does.

    Raises ValueError for another form, a date that does not exist, a leap second, or a year beyond 1000–2999 UTC.
    """
    match = _moment.fullmatch(text)
    if match is None:
        raise ValueError("not RFC 3339 with an offset")
    fraction, offset = match[1], _offset(match[2])
    # `fromisoformat` takes minutes beyond 59 in an offset, and from Python 3.14 on 24:00 too; RFC 3339 does not.
    if text[11:13] > "23" or offset[4:] > "59":
        raise ValueError("no such time of the day")
    try:
        utc = datetime.fromisoformat(text[:19] + ("+00:00" if offset == "Z" else offset)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    if not FIRST_YEAR <= utc.year <= LAST_YEAR:
        raise ValueError(f"the year must be within {FIRST_YEAR}–{LAST_YEAR}, UTC")
    return utc.isoformat()[:19] + "." + (fraction or ".")[1:].ljust(NANOSECOND_DIGITS, "0")


def recordable(instant: str) -> datetime:
    """An instant as `instant` gives it, to the six digits that the log keeps."""
    return datetime.fromisoformat(instant[:-3]).replace(tzinfo=UTC)


def utc_text(at: datetime) -> str:
    """A time that the server made, as clients see it: UTC, six digits, `Z`."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    # Every event needs it several times; `isoformat` takes twice as long.
    return (
        f"{_date(utc.toordinal())}T{_TWO_DIGITS[utc.hour]}:{_TWO_DIGITS[utc.minute]}:{_TWO_DIGITS[utc.second]}"
        f".{utc.microsecond:06}Z"
    )


def utc_text_of(microseconds: int) -> str:
    """The same of a time in microseconds since 1970."""
    return "%s.%06dZ" % (_second(microseconds // 1_000_000), microseconds % 1_000_000)  # noqa: UP031 - quicker here


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return utc_text(datetime.fromtimestamp(seconds, UTC))[:-_FRACTION]


@lru_cache(maxsize=1024)
def _date(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
