"""From the claim that names the tenant to the tenant's id, which becomes part of keys.

Two names that differ never become one tenant. A name that is an id already stays what it is. Of any other, if its
characters are visible ones of ASCII (`org|12`, `/acme`), the id is `x--` and the name, where `.` and two hexadecimal
digits stand for a character that an id cannot have, and for a dot: `x--org.7C12`, `x--.2Facme`. So it is where a name
begins with `x--` itself.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from service.auth.errors import Refusal, Unauthenticated, invalid
from service.claim_path import ClaimPath

TENANT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
WRITTEN_OTHERWISE: Final = "x--"
MAX_NAMED: Final = 5
"""Tenants that a refusal names at most."""

_VISIBLE: Final = re.compile(r"[!-~]+")
_NOT_KEPT: Final = re.compile(r"[^A-Za-z0-9_-]")


def tenant_id_of(value: Any, claim: ClaimPath) -> str:
    """`value` is a text or an integer, or a list or a map that names one tenant. Raises Unauthenticated."""
    tenants = list(dict.fromkeys(map(_id_of, _named(value, claim))))
    if not tenants:
        raise Unauthenticated(
            Refusal.TENANT_MISSING, f"The token names no tenant: there is nothing in its claim {claim}."
        )
    if len(tenants) > 1:
        shown = ", ".join(tenants[:MAX_NAMED]) + (" and more" if len(tenants) > MAX_NAMED else "")
        raise invalid(f"The token names several tenants in its claim {claim}, where one is needed: {shown}.")
    return tenants[0]


def _named(value: Any, claim: ClaimPath) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _one(item, claim)
    elif isinstance(value, Mapping):
        yield from _keys(value, claim)
    else:
        yield from _one(value, claim)


def _one(value: Any, claim: ClaimPath) -> Iterator[str]:
    if value is None or value == "":
        return
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise invalid(f"The token's tenant, its claim {claim}, is neither a text nor an integer, nor a list of one.")
    yield str(value)


def _keys(value: Mapping[str, Any], claim: ClaimPath) -> Iterator[str]:
    """Keys are tenants where something of the tenant's stands under each, as `{"acme": {"id": …}}` has it.

    `{"id": "acme"}` is a map of another kind: were its key the tenant, all tenants would be one.
    """
    for name, content in value.items():
        if content is True or isinstance(content, Mapping | list):
            yield name
        elif content is not False:
            raise invalid(f"The token's claim {claim} is a map whose keys are no tenants: the path ends too early.")


def _id_of(name: str) -> str:
    if TENANT_ID.fullmatch(name) and not name.startswith(WRITTEN_OTHERWISE):
        return name
    if not _VISIBLE.fullmatch(name):
        raise invalid("The token's tenant has characters other than the visible ones of ASCII.")
    id = WRITTEN_OTHERWISE + _NOT_KEPT.sub(lambda found: f".{ord(found[0]):02X}", name)
    if not TENANT_ID.fullmatch(id):
        raise invalid("The token's tenant takes more than 64 characters.")
    return id
