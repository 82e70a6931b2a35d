"""What a client may set as attributes of an incident, by the definitions of its tenant."""

from collections.abc import Mapping
from typing import Final

from domain.attribute_types import AttributeType, Definitions, coerce, listed
from domain.errors import Fault
from domain.event import Json
from domain.rules import same

ATTRIBUTES: Final = "attributes."
"""Before an attribute's name where it stands among an incident's other members."""


def faults_of_attributes(
    given: Mapping[str, Json], stored: Mapping[str, Json], definitions: Definitions
) -> list[Fault]:
    """Every fault of the given values. What equals the stored value is not looked at."""
    faults: list[Fault] = []
    coerced(given, stored, definitions, faults)
    return faults


def coerced(
    given: Mapping[str, Json],
    stored: Mapping[str, Json],
    definitions: Definitions,
    faults: list[Fault],
    field: str | None = None,
) -> dict[str, Json]:
    """The values as they are stored; faults are added to `faults`, at `field` or at `attributes.<name>`."""
    values, known = {}, ""
    for name, value in given.items():
        if name in stored and same(stored[name], value):
            values[name] = value
        elif name not in definitions:
            known = known or listed(definitions)
            faults.append(Fault("ATTRIBUTE_UNKNOWN", known, "name" if field else ATTRIBUTES + name))
        else:
            result = coerce(AttributeType(definitions[name]), value)
            if isinstance(result, Fault):
                faults.append(result.at(field or ATTRIBUTES + name))
            else:
                values[name] = result
    return values
