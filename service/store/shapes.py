"""What an event's state has to hold: damage is found where an event is read, not where somebody misses a member.

Only whether each member is there and of its kind, never whether its value would be allowed today: rules are tightened,
and history stays readable.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, ClassVar, Final, NamedTuple, get_args, get_origin, get_type_hints
from uuid import UUID

from domain.attribute_types import AttributeType
from domain.erasure import ALL
from domain.event import ActEvent
from domain.rules import DEFAULTS, DETAILS, Flag, Whole

_OF_THE_ROW: Final = {"originator_id", "originator_version"}
_NONE: Final = type(None)
_SCALARS: Final = (str, int, float, bool, _NONE)
_KINDS: Final = {member: bool if isinstance(rule, Flag) else int if isinstance(rule, Whole) else str
                 for member, rule in DETAILS.items()}  # fmt: skip
_SCALAR: Final = frozenset(_SCALARS)
_FROM_AND_TO: Final = 2
"""Members of what an edit says of each member."""
_CODED: Final = {UUID: (UUID, dict), datetime: (datetime, dict)}
"""Ids and times as the decoder gives them, or as they are written."""


def fault_of(kind: type[ActEvent], content: Any) -> str:
    """What is wrong with the members of an event's state; empty where nothing is. Ids and times may be coded."""
    if type(content) is not dict:
        return "it is no object"
    shape = _shape_of(kind)
    try:
        types = tuple(map(type, shape.get(content)))
    except KeyError as error:
        return f"{error.args[0]} is missing"
    if types not in shape.known:
        for member, found in zip(shape.members, types, strict=True):
            if found not in shape.members[member]:
                return f"{member} is not what it has to be"
        shape.known.add(types)
    for member, judge in shape.deeper:
        if not judge(content[member]):
            return f"{member} is not what it has to be"
    if "erased" in content and not _are_texts(content["erased"]):
        return "erased is not what it has to be"
    return ""


def complete(content: dict[str, Any]) -> None:
    """Give an incident that was reported before a member existed the member's default."""
    details = content.get("details")
    if details is not None and len(details) < len(DETAILS):
        content["details"] = DEFAULTS | details


class _Shape(NamedTuple):
    """`members`: the types that each may have; `known`: those that were found together, all of them right."""

    members: dict[str, tuple[type, ...]]
    get: Callable[[dict[str, Any]], tuple[Any, ...]]
    deeper: list[tuple[str, Callable[[Any], bool]]]
    known: set[tuple[type, ...]]


@lru_cache
def _shape_of(kind: type[ActEvent]) -> _Shape:
    """Of the annotations of the event's class. What has a default there may be missing: it came later."""
    hints = {name: hint for name, hint in get_type_hints(kind).items() if get_origin(hint) is not ClassVar}
    members = {
        name: _types(hint) for name, hint in hints.items() if name not in _OF_THE_ROW and not hasattr(kind, name)
    }
    return _Shape(members, itemgetter(*members), [one for one in _DEEPER.items() if one[0] in members], set())


def _types(hint: Any) -> tuple[type, ...]:
    if hint is Any:
        return _SCALARS
    if hint in _CODED:
        return _CODED[hint]
    if isinstance(hint, type):
        return (hint,)
    origin = get_origin(hint)
    if isinstance(origin, type):
        return (origin,)
    if origin is not None and get_args(hint) == (ALL,):
        return (str,)
    return tuple(kind for one in get_args(hint) for kind in _types(one))


def _are_details(details: dict[str, Any]) -> bool:
    return _have_types(tuple(details), tuple(map(type, details.values())))


@lru_cache
def _have_types(members: tuple[str, ...], types: tuple[type, ...]) -> bool:
    return {*members, *DEFAULTS} >= DETAILS.keys() and all(
        kind is _NONE or kind is _KINDS.get(member, kind) for member, kind in zip(members, types, strict=True)
    )


def _are_edits(edits: dict[str, Any]) -> bool:
    for member, change in edits.items():
        if type(change) is not dict or len(change) != _FROM_AND_TO or "from" not in change or "to" not in change:
            return False
        kind = type(change["to"])
        wanted = _KINDS.get(member)
        if kind not in _SCALARS or (wanted is not None and kind is not wanted and kind is not _NONE):
            return False
    return True


def _are_values(values: dict[str, Any]) -> bool:
    return _SCALAR.issuperset(map(type, values.values()))


def _are_fields(fields: Any) -> bool:
    return bool(fields == ALL) if isinstance(fields, str) else _are_texts(fields)


def _are_texts(texts: Any) -> bool:
    return type(texts) is list and all(type(text) is str for text in texts)


def _are_orders(redacted: dict[str, Any]) -> bool:
    return all(position.isdecimal() and type(left) is str for position, left in redacted.items())


def _is_type(name: Any) -> bool:
    return name in AttributeType.__members__


_DEEPER: Final = {
    "details": _are_details, "attributes": _are_values, "edits": _are_edits,
    "fields": _are_fields, "redacted": _are_orders, "type": _is_type,
}  # fmt: skip
"""Of members that have members."""
