"""Everything that the domain accepts: texts of any kind, numbers to their edges, times with their offsets."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from domain.attribute_types import MAX_INTEGER, AttributeType
from domain.rules import MAX_UNIX_SECONDS
from domain.texts import is_seen
from tests.domain.examples import CODES

TYPES = {
    "text": AttributeType.STRING,
    "whole": AttributeType.INT,
    "flag": AttributeType.BOOLEAN,
    "number": AttributeType.NUMBER,
    "at": AttributeType.DATETIME,
}
AWKWARD = (
    "'",
    '"',
    "\\",
    "%",
    "_",
    "\u2028",
    "\ufeff",
    "\U0001f600",
    "\u0001",
    "\n",
    "$1",
    "{}",
    "ß",
    "İ",
    "\x7f",
    "\u0301",
)


def texts(limit: int, *, required: bool = True) -> st.SearchStrategy[str]:
    """Of any characters but U+0000 and surrogates; now and then as long as it may be."""
    character = st.one_of(st.sampled_from(AWKWARD), st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    short = st.lists(character, max_size=12).map("".join).map(lambda text: text[:limit])
    full = st.tuples(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), st.just(limit)).map(
        lambda pair: pair[0] * pair[1]
    )
    any_text = st.one_of(short, short, short, full)
    return any_text.filter(is_seen) if required else any_text


@st.composite
def moments(draw: st.DrawFn) -> str:
    """RFC 3339 with any offset and up to nine digits, of an instant in the years 1000 to 2999 UTC."""
    utc = draw(st.datetimes(datetime(1000, 1, 1), datetime(2999, 12, 31, 23, 59, 59)))  # noqa: DTZ001
    minutes = draw(st.integers(-23 * 60 - 59, 23 * 60 + 59))
    local = utc.replace(microsecond=0, tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    fraction = draw(st.one_of(st.just(""), st.from_regex(r"\.[0-9]{1,9}", fullmatch=True)))
    sign = "-" if minutes < 0 else "+"
    offset = "Z" if minutes == 0 else f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return f"{local:%Y}".zfill(4) + f"{local:-%m-%dT%H:%M:%S}{fraction}{offset}"


details = st.fixed_dictionaries(
    {
        "name": texts(200),
        "status": st.sampled_from(CODES.status),
        "type": st.sampled_from(CODES.type),
        "date": moments(),
        "description": texts(20_000),
        "reported_by": texts(200),
        "location": texts(500, required=False),
        "severity": st.sampled_from(CODES.severity),
        "next_update": st.integers(0, MAX_UNIX_SECONDS),
        "resolved_date": st.none() | moments(),
        "backdated": st.booleans(),
    }
)

whole_numbers = st.one_of(st.integers(-MAX_INTEGER, MAX_INTEGER), st.sampled_from((MAX_INTEGER, -MAX_INTEGER, 0)))
numbers: st.SearchStrategy[Any] = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.sampled_from((2**70, -(2**70), 2**53, 1.7976931348623157e308, 5e-324, -0.0, "5", "-5.0", "1e3")),
)

attributes = st.fixed_dictionaries(
    {},
    optional={
        "text": texts(1_000, required=False),
        "whole": whole_numbers,
        "flag": st.booleans() | st.sampled_from(("true", "false")),
        "number": numbers,
        "at": moments(),
    },
)
comments = texts(10_000)
