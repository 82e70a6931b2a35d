"""The types of attributes, and how a value that a client sent becomes one that is stored."""

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from domain.errors import Fault
from domain.event import Json
from domain.moments import instant
from domain.rules import Moment, Text, normal

MAX_DEFINITIONS: Final = 100
"""Attributes that a tenant may have, defaults included, retired ones not."""

MAX_NAMES: Final = 1_000
"""Names that a tenant may ever have given to attributes, the retired ones too: those stay in what was written."""
MAX_LISTED: Final = MAX_DEFINITIONS
"""Names of attributes that a message lists."""

MAX_TEXT: Final = 1_000
MAX_INTEGER: Final = 2**53 - 1
NAME_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"

_name = re.compile(NAME_PATTERN[1:-1])
_integer = re.compile(r"-?(0|[1-9][0-9]{0,30})")
_number = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
MAX_NUMBER_TEXT: Final = 400
"""Characters of a number that is sent as text; the longest double has fewer."""


class AttributeType(StrEnum):
    STRING = "STRING"
    INT = "INT"
    BOOLEAN = "BOOLEAN"
    NUMBER = "NUMBER"
    DATETIME = "DATETIME"


Definitions = Mapping[str, AttributeType]
"""The attributes that may be set now, by name."""


def is_attribute_name(text: str) -> bool:
    return _name.fullmatch(text) is not None


def fault_of_name(value: object) -> Fault | None:
    """What is wrong with the name of a new attribute."""
    if not isinstance(value, str):
        return Fault("TYPE_INVALID", "must be a text")
    return None if is_attribute_name(value) else Fault("ATTRIBUTE_NAME_INVALID", f"must match {NAME_PATTERN}")


def fault_of_type(value: object) -> Fault | None:
    """What is wrong with the type of a new attribute."""
    if not isinstance(value, str):
        return Fault("TYPE_INVALID", "must be a text")
    if value in AttributeType.__members__:
        return None
    return Fault("ATTRIBUTE_TYPE_UNKNOWN", f"must be one of {', '.join(AttributeType)}")


def coerce(kind: AttributeType, value: Json) -> Json | Fault:
    """The value as it is stored, or what is wrong with it.

    The JSON text form of a number or boolean is taken ("5", "-5.0", "true") and becomes typed; a STRING is never made
    from something else.
    """
    if kind is AttributeType.STRING:
        return Text(MAX_TEXT, required=False)(value) or value
    if kind is AttributeType.DATETIME:
        return Moment()(value) or normal(Moment(), value)
    if kind is AttributeType.BOOLEAN:
        value = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
        return value if isinstance(value, bool) else Fault("TYPE_INVALID", "must be true or false")
    number = _number_of(value)
    if kind is AttributeType.INT:
        whole = isinstance(number, int) or (isinstance(value, float) and value.is_integer())
        if number is not None and whole and abs(number) <= MAX_INTEGER:
            return int(number)
        return Fault("TYPE_INVALID", f"must be an integer from -{MAX_INTEGER} to {MAX_INTEGER}")
    if number is None:
        return Fault("TYPE_INVALID", "must be a number, finite, as a double holds it")
    return number


def _number_of(value: Json) -> int | float | None:
    if isinstance(value, str):
        if len(value) > MAX_NUMBER_TEXT or _number.fullmatch(value) is None:
            return None
        value = int(value) if _integer.fullmatch(value) else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        if abs(value) <= MAX_INTEGER:
            return value
        try:
            return float(value)
        except OverflowError:
            return None
    return value if math.isfinite(value) else None


def comparable(value: Json) -> str:
    """A stored value as text that is equal exactly where the values are: `5`, `5.0` and `5e0` are one number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(float(value) + 0.0)
    return str(value)


def moment_of(value: Json) -> str:
    """The instant that a stored value names, or nothing where it is no time."""
    try:
        return instant(value) if isinstance(value, str) else ""
    except ValueError:
        return ""


def listed(definitions: Definitions) -> str:
    """Their names, for a message."""
    names = sorted(definitions)
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f"defined attributes: {', '.join(names[:MAX_LISTED]) or 'none'}{more}"
