"""What each member of an incident and a comment may be. HTTP derives its schema from these same rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.codes import Codes
from domain.errors import Fault
from domain.event import Json
from domain.moments import FIRST_YEAR, LAST_YEAR, instant

MAX_OCC_LOCK: Final = 2**31 - 1
MAX_UNIX_SECONDS: Final = 253_402_300_799
MAX_CODE: Final = 64
"""Code points of a status, type or severity."""


@dataclass(frozen=True, slots=True)
class Text:
    """Up to `limit` code points; a required one needs a character that is not a space."""

    limit: int
    required: bool = True

    def __call__(self, value: object) -> Fault | None:
        if not isinstance(value, str):
            return Fault("TYPE_INVALID", "must be a text")
        if self.required and (not value or value.isspace()):
            return Fault("TEXT_EMPTY", f"must have 1 to {self.limit} characters, not only spaces")
        if len(value) > self.limit:
            return Fault("TEXT_TOO_LONG", f"must have at most {self.limit} characters")
        return None if "\0" not in value and value.isascii() else unstorable(value)


@dataclass(frozen=True, slots=True)
class Code:
    """A text of the deployment's code table of the same name; the table is looked at by `faults_of_details`."""

    def __call__(self, value: object) -> Fault | None:
        if not isinstance(value, str):
            return Fault("TYPE_INVALID", "must be a text")
        if len(value) > MAX_CODE:
            return Fault("TEXT_TOO_LONG", f"must have at most {MAX_CODE} characters")
        return unstorable(value)


@dataclass(frozen=True, slots=True)
class Moment:
    """RFC 3339 with an offset, an instant within the years 1000–2999 UTC."""

    required: bool = True

    def __call__(self, value: object) -> Fault | None:
        if value is None and not self.required:
            return None
        if not isinstance(value, str):
            return Fault("TYPE_INVALID", "must be a text" + ("" if self.required else " or null"))
        try:
            instant(value)
        except ValueError:
            return Fault(
                "TIME_INVALID",
                f"must be RFC 3339 with an offset, such as 2024-11-11T10:57:27+08:00, "
                f"a date that exists, in the years {FIRST_YEAR} to {LAST_YEAR}",
            )
        return None


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer from `low` to `high`."""

    low: int
    high: int

    def __call__(self, value: object) -> Fault | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return Fault("TYPE_INVALID", "must be an integer")
        if not self.low <= value <= self.high:
            return Fault("NUMBER_OUT_OF_RANGE", f"must be from {self.low} to {self.high}")
        return None


@dataclass(frozen=True, slots=True)
class Flag:
    def __call__(self, value: object) -> Fault | None:
        return None if isinstance(value, bool) else Fault("TYPE_INVALID", "must be true or false")


Rule = Text | Code | Moment | Whole | Flag

DETAILS: Final[dict[str, Rule]] = {
    "name": Text(200),
    "status": Code(),
    "type": Code(),
    "date": Moment(),
    "description": Text(20_000),
    "reported_by": Text(200),
    "location": Text(500, required=False),
    "severity": Code(),
    "next_update": Whole(0, MAX_UNIX_SECONDS),
    "resolved_date": Moment(required=False),
    "backdated": Flag(),
}
"""The members of an incident that clients edit, in the order in which they are answered."""

CODED: Final = frozenset(member for member, rule in DETAILS.items() if isinstance(rule, Code))

DEFAULTS: Final[dict[str, Json]] = {
    "location": "",
    "severity": "",
    "next_update": 0,
    "resolved_date": None,
    "backdated": False,
}
"""The optional ones; null in a request means the same."""

COMMENT_TEXT: Final = Text(10_000)
OCC_LOCK: Final = Whole(0, MAX_OCC_LOCK)


def unstorable(text: str) -> Fault | None:
    """U+0000 and lone surrogates are no text: PostgreSQL and UTF-8 have no place for them."""
    if "\0" in text:
        return Fault("TEXT_INVALID", "must not contain U+0000")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return Fault("TEXT_INVALID", "must not contain a lone surrogate")
    return None


def same(left: Json, right: Json) -> bool:
    """Equal as JSON: `true` is not `1`."""
    return type(left) is type(right) and bool(left == right)


def faults_of_details(details: Mapping[str, Json], stored: Mapping[str, Json], codes: Codes) -> list[Fault]:
    """Every fault of the given members. What equals the stored value is not looked at: a code may have been retired."""
    faults = []
    for member, value in details.items():
        if member in stored and same(stored[member], value):
            continue
        if member in CODED and value in codes.allowed(member):
            continue
        fault = DETAILS[member](value)
        if fault is None and member in CODED:
            fault = codes.fault(member)
        if fault is not None:
            faults.append(fault.at(member))
    return faults
