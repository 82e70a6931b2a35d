"""How the faults of a request are told: so many at most, and what long texts say alike, once."""

from collections.abc import Sequence
from typing import Any, Final

from domain.errors import Fault

MAX_FAULTS: Final = 20
"""Faults that an answer shows."""
MAX_REPEATED: Final = 100
"""Characters of a message that may stand in an answer more than once: lists of names are longer."""


def shown(fault: Fault) -> dict[str, Any]:
    told = {"code": fault.code, "message": fault.message}
    if fault.field is not None:
        told["field"] = fault.field
    return told


def told(faults: Sequence[Fault]) -> list[dict[str, Any]]:
    """The first of them; a long message that stood before is referred to by the field that it stood at."""
    errors, first = [], dict[str, str | None]()
    for fault in faults[:MAX_FAULTS]:
        error = shown(fault)
        if len(fault.message) > MAX_REPEATED:
            if fault.message in first:
                error["message"] = f"see the message for {first[fault.message]}"
            first.setdefault(fault.message, fault.field)
        errors.append(error)
    return errors
