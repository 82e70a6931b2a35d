"""What the values of settings look like: from the text of a variable to the value, and what is refused on the way."""

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from domain.attribute_types import MAX_DEFINITIONS, AttributeType, is_attribute_name
from service.claim_path import ClaimPath
from service.database_url import normal
from service.server_url import split
from service.streams.address import parse

OWN_PATHS = frozenset(
    {"v1", "livez", "readyz", "status", "metrics", "openapi.json", "asyncapi.json", "docs", ".well-known"}
)
"""What the paths of the service begin with."""

_T = TypeVar("_T")


def _split(value: object) -> object:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _with_a_role(value: object) -> object:
    # A list of none would open to anybody what it was to close.
    if isinstance(value, str) and value.strip() and not value.strip(", "):
        raise ValueError("names no role")
    return value


def _definitions(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [pair.strip().partition(":") for pair in value.split(",") if pair.strip()]
    for name, _, _ in pairs:
        if not is_attribute_name(name):
            raise ValueError(f"{name!r} is not a name for an attribute")
    if len(pairs) > MAX_DEFINITIONS:
        raise ValueError(f"at most {MAX_DEFINITIONS} attributes")
    return {name: type_ for name, _, type_ in pairs}


def _beneath(value: str) -> str:
    segments = value.split("/")[1:]
    if value and not (re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", value) and {".", ".."}.isdisjoint(segments)):
        raise ValueError("begin with / and do not end with it: segments of A-Z, a-z, 0-9, -, _, ~, . such as /ims")
    if value and segments[0] in OWN_PATHS:
        raise ValueError(f"must not begin with a path of the service itself: {', '.join(sorted(OWN_PATHS))}")
    return value


def _engine(value: str) -> str:
    return normal(value) if value else value


def _redis(value: str) -> str:
    if value:
        parse(value)
    return value.strip()


def _anonymous_limit(value: str) -> str:
    value = "" if value == "off" else value
    if value and not re.fullmatch(r"[1-9][0-9]{0,8}/(second|minute|hour|day)", value):
        raise ValueError("a number, / and second, minute, hour or day, such as 100/minute; off for none")
    return value


def _collector(value: str) -> str:
    if "@" in value:  # what the exporter cannot take apart, it shows whole
        split(value, (), {})
    return value


ListOf = Annotated[tuple[_T, ...], NoDecode, BeforeValidator(_split)]
"""Separated by commas."""
Words = ListOf[str]
RoleNames = Annotated[Words, BeforeValidator(_with_a_role)]
Definitions = Annotated[dict[str, AttributeType], NoDecode, BeforeValidator(_definitions)]
"""`name:TYPE` each, separated by commas."""
ClaimPathText = Annotated[str, AfterValidator(lambda value: ClaimPath(value).text)]
BasePath = Annotated[str, AfterValidator(_beneath)]
DatabaseUrl = Annotated[str, AfterValidator(_engine)]
RedisUrl = Annotated[str, AfterValidator(_redis)]
CollectorUrl = Annotated[str, AfterValidator(_collector)]
AnonymousRate = Annotated[str, AfterValidator(_anonymous_limit)]
Networks = ListOf[IPv4Network | IPv6Network]
