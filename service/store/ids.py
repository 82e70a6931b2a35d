"""Ids as the log's rows have them, made quickly: each row has up to four, and logs are long."""

from typing import Final
from uuid import UUID, SafeUUID

_HEX_DIGITS: Final = 32
_UNKNOWN: Final = SafeUUID.unknown
_make, _set = object.__new__, object.__setattr__


def uuid_of(number: int) -> UUID:
    """The same as `UUID(int=number)`, in a third of the time; the number is of 128 bits."""
    made = _make(UUID)
    _set(made, "int", number)
    _set(made, "is_safe", _UNKNOWN)
    return made


def uuid_from(text: str) -> UUID:
    """Of 32 hexadecimal digits. Raises ValueError."""
    if len(text) != _HEX_DIGITS:
        raise ValueError("not 32 hexadecimal digits")
    return uuid_of(int(text, 16))
