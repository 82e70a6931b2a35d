"""Which roles a token has, and what they allow.

Writing fails closed: where a setting says who may only read, or who may write, nobody writes whose role is not named.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from service.auth.errors import invalid
from service.settings import Settings

MAX_ROLES: Final = 1000
UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")

_BETWEEN: Final = re.compile(r"[ ,\t\r\n]+")


def role_names(value: Any) -> frozenset[str]:
    """A list of texts, or of maps with a `name`; a text with blanks or commas between; a map whose keys are roles.

    Raises Unauthenticated where it is anything else: a role that was overlooked could be the one that forbids.
    """
    names = frozenset(name for name in _names(value) if name)
    if len(names) > MAX_ROLES:
        raise invalid(f"The token has more than {MAX_ROLES} roles.")
    if any(map(UNSTORABLE.search, names)):
        raise invalid("The token has a role with characters that cannot be stored.")
    return names


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _BETWEEN.split(value)
    elif isinstance(value, list):
        for item in value:
            name = item.get("name") if isinstance(item, Mapping) else item
            if not isinstance(name, str):
                raise invalid("The token's roles are a list of something else than texts, or maps with a `name`.")
            yield name
    elif isinstance(value, Mapping):
        for name, content in value.items():
            if content is True or isinstance(content, Mapping | list):
                yield name
            elif content is not None and content is not False:
                raise invalid("The token's roles are a map whose keys are no roles: the path ends too early.")
    elif value is not None:
        raise invalid("The token's roles are neither a list, a map nor a text.")


class Rights(NamedTuple):
    may_define: bool
    may_write: bool
    may_audit: bool
    may_erase: bool


class RoleRights:
    """What roles allow, as the settings have it. A read-only role allows reading, whatever else names it."""

    def __init__(self, settings: Settings) -> None:
        self._readers = frozenset(settings.read_only_roles)
        self._deployers = frozenset(settings.deployer_roles)
        self._erasers = frozenset(settings.eraser_roles)
        self._auditors = self._deployers.union(settings.auditor_roles)
        self._writers = self._deployers.union(settings.writer_roles)
        self._anybody_writes = not settings.writer_roles and not settings.read_only_roles

    def of(self, roles: frozenset[str]) -> Rights:
        more = roles - self._readers
        return Rights(
            may_define=not more.isdisjoint(self._deployers),
            may_write=self._anybody_writes or not more.isdisjoint(self._writers),
            may_audit=not roles.isdisjoint(self._auditors),
            may_erase=not more.isdisjoint(self._erasers),
        )
