"""From what a client sends to what changes: members filled up, attributes merged, differences found."""

from collections.abc import Iterable, Mapping

from domain.attribute_types import Definitions
from domain.attribute_values import ATTRIBUTES, coerced
from domain.errors import Fault
from domain.event import Json
from domain.rules import DEFAULTS, DETAILS, normalize, same


def complete(details: Mapping[str, Json]) -> dict[str, Json]:
    """Every member as it is stored; optional ones that were left out, or null, by their defaults."""
    return normalize(
        {member: DEFAULTS.get(member) if (value := details.get(member)) is None else value for member in DETAILS}
    )


def merged(
    stored: Mapping[str, Json], patch: Mapping[str, Json] | None, definitions: Definitions, faults: list[Fault]
) -> dict[str, Json]:
    """The attributes after a merge patch of them (RFC 7396); faults are added to `faults`."""
    if patch is None:
        return {}
    given = {name: value for name, value in patch.items() if value is not None}
    kept = {name: value for name, value in stored.items() if name not in patch}
    return {**kept, **coerced(given, stored, definitions, faults)}


def touched(patch: Mapping[str, Json], ever_changed: Iterable[str]) -> set[str]:
    """The members that a merge patch of an incident is about; where all attributes go, all that there ever were."""
    members = {member for member in patch if member in DETAILS}
    attributes = patch.get("attributes", {})
    if attributes is None:
        return members.union(member for member in ever_changed if member.startswith(ATTRIBUTES))
    return members.union(ATTRIBUTES + name for name in attributes)


def edits_between(
    details: Mapping[str, Json], attributes: Mapping[str, Json],
    new_details: Mapping[str, Json], new_attributes: Mapping[str, Json],
) -> dict[str, Json]:  # fmt: skip
    """Each member that differs as `{"from": old, "to": new}`; of the details those that are given anew."""
    edits = {
        member: {"from": details[member], "to": value}
        for member, value in new_details.items()
        if not same(details[member], value)
    }
    for name in sorted({*attributes, *new_attributes}):
        old, new = attributes.get(name), new_attributes.get(name)
        if not same(old, new):
            edits[ATTRIBUTES + name] = {"from": old, "to": new}
    return edits
