"""What each member of an incident and a comment may be. HTTP derives its schema from these same rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard

from domain.codes import Codes
from domain.errors import Fault
from domain.event import Json
from domain.moments import FIRST_YEAR, LAST_YEAR, instant, moment_text
from domain.texts import is_seen

MAX_OCC_LOCK: Final = 2**31 - 1
MAX_UNIX_SECONDS: Final = 253_402_300_799
MAX_CODE: Final = 64
"""Code points of a status, type or severity."""


@dataclass(frozen=True, slots=True)
class Text:
    """Up to `limit` code points; a required one needs a character that can be seen."""

    limit: int
    required: bool = True

    def __call__(self, value: object) -> Fault | None:
        fault = self.as_recorded(value)
        if fault is None and self.required and isinstance(value, str) and not is_seen(value):
            return self._empty()
        return fault

    def as_recorded(self, value: object) -> Fault | None:
        """What is wrong with it even where it was recorded long ago: then, what is no space was enough."""
        if not isinstance(value, str):
            return Fault("TYPE_INVALID", "must be a text")
        if self.required and (not value or value.isspace()):
            return self._empty()
        if len(value) > self.limit:
            return Fault("TEXT_TOO_LONG", f"must have at most {self.limit} characters")
        return None if "\0" not in value and value.isascii() else unstorable(value)

    def _empty(self) -> Fault:
        return Fault("TEXT_EMPTY", f"must have 1 to {self.limit} characters, one of which can be seen")


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
    """RFC 3339 with an offset, an instant within the years 1000–2999 UTC, and no leap second."""

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
                f"a date that exists, seconds to 59 (a leap second cannot be kept), "
                f"in the years {FIRST_YEAR} to {LAST_YEAR}",
            )
        return None


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer from `low` to `high`, however JSON writes it: 2, 2.0, 2e0."""

    low: int
    high: int

    def __call__(self, value: object) -> Fault | None:
        if isinstance(value, bool) or not (isinstance(value, int) or _is_whole(value)):
            return Fault("TYPE_INVALID", "must be an integer")
        if not self.low <= value <= self.high:
            return Fault("NUMBER_OUT_OF_RANGE", f"must be from {self.low} to {self.high}")
        return None


@dataclass(frozen=True, slots=True)
class Flag:
    def __call__(self, value: object) -> Fault | None:
        return None if isinstance(value, bool) else Fault("TYPE_INVALID", "must be true or false")


Rule = Text | Code | Moment | Whole | Flag


def normal(rule: Rule, value: Json) -> Json:
    """The value as it is stored, where the rule finds no fault with it; else as it is."""
    if isinstance(rule, Moment) and isinstance(value, str):
        return moment_text(value)
    return int(value) if isinstance(rule, Whole) and _is_whole(value) else value


def _is_whole(value: object) -> TypeGuard[float]:
    return isinstance(value, float) and value.is_integer()


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

_FORMED: Final = {member: rule for member, rule in DETAILS.items() if isinstance(rule, Moment | Whole)}
"""Those that may come in another form than they are stored in."""

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


def normalize(details: dict[str, Json]) -> dict[str, Json]:
    """The same members, each in the form in which it is stored; what is not valid stays as it is."""
    for member, rule in _FORMED.items():
        if member in details:
            details[member] = normal(rule, details[member])
    return details


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
