"""From the claims of a verified token to the identity that the rest of the service knows."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.auth.errors import Refusal, Unauthenticated, invalid
from service.settings import Settings

TENANT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_USER_ID = 255  # code points, OpenID Connect Core 2
MAX_USER_NAME = 200  # code points
FALLBACK_TENANT_CLAIMS = {"active_tenant.tenant_id": "active_tenant.id"}
REALM_ROLES_CLAIM = "realm_access.roles"
REALM_ROLES = frozenset({"system-admin"})
NEVER = 2**62  # Unix seconds
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Identity:
    tenant_id: str
    user_id: str
    user_name: str
    roles: frozenset[str]
    may_define: bool
    may_write: bool
    may_audit: bool
    """Whether the past of what is deleted is shown."""
    may_erase: bool
    expires_at: float = field(default=math.inf, compare=False)
    """Unix seconds, as the token has it."""


class Claims:
    """Reads identities from claims, by the paths and the roles that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._tenant_claim = settings.tenant_claim
        self._roles_claim = settings.roles_claim
        self._deployers = frozenset(settings.deployer_roles)
        self._erasers = frozenset(settings.eraser_roles)
        self._readers = frozenset(settings.read_only_roles)
        self._auditors = self._deployers.union(settings.auditor_roles)

    def identity(self, claims: Mapping[str, Any]) -> Identity:
        """Raises Unauthenticated where the claims name no user or no tenant, or in a form that cannot be used."""
        user_id = _user_id(claims)
        tenant_id = self._tenant_id(claims)
        roles = self._roles(claims)
        may_write = not roles or not roles <= self._readers
        return Identity(
            tenant_id=tenant_id,
            user_id=user_id,
            user_name=_user_name(claims, user_id),
            roles=roles,
            may_define=may_write and not roles.isdisjoint(self._deployers),
            may_write=may_write,
            may_audit=not roles.isdisjoint(self._auditors),
            may_erase=may_write and not roles.isdisjoint(self._erasers),
            expires_at=_expiry(claims),
        )

    def _tenant_id(self, claims: Mapping[str, Any]) -> str:
        value = find_claim(claims, self._tenant_claim)
        if value is None and self._tenant_claim in FALLBACK_TENANT_CLAIMS:
            value = find_claim(claims, FALLBACK_TENANT_CLAIMS[self._tenant_claim])
        if value is None or value == "":
            raise Unauthenticated(Refusal.TENANT_MISSING, "The token names no tenant.")
        if not isinstance(value, str) or not TENANT_ID.fullmatch(value):
            raise invalid("The token's tenant is not a tenant id.")
        return value

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[str]:
        value = find_claim(claims, self._roles_claim)
        # Some providers write a list of one as a text. What is neither is refused, not ignored: a token whose
        # read-only role was overlooked would be allowed to write.
        names = [] if value is None else [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise invalid("The token's roles are not a list of texts.")
        realm = find_claim(claims, REALM_ROLES_CLAIM)
        names = [_storable(name) for name in names if name]
        names += REALM_ROLES.intersection(name for name in _listed(realm) if isinstance(name, str))
        return frozenset(names)


def find_claim(claims: Mapping[str, Any], path: str) -> Any:
    """The value at a path of names with dots between; a claim whose own name has dots (a URL) is found as well."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _expiry(claims: Mapping[str, Any]) -> float:
    value = claims.get("exp")
    # An integer may be too long for a float.
    return float(min(value, NEVER)) if isinstance(value, int | float) else math.inf


def _user_id(claims: Mapping[str, Any]) -> str:
    value = claims.get("sub")
    if not isinstance(value, str) or not value.strip():
        raise invalid("The token names no user.")
    if len(value) > MAX_USER_ID:
        raise invalid(f"The token's user id is longer than {MAX_USER_ID} characters.")
    return _storable(value)


def _user_name(claims: Mapping[str, Any], user_id: str) -> str:
    for claim in ("name", "preferred_username"):
        value = claims.get(claim)
        if isinstance(value, str) and value.strip():
            return _shown(_storable(value))
    return _shown(user_id)


def _shown(name: str) -> str:
    # A cut that leaves only spaces would be no name at all.
    return name[:MAX_USER_NAME] if name[:MAX_USER_NAME].strip() else name.strip()[:MAX_USER_NAME]


def _storable(text: str) -> str:
    if UNSTORABLE.search(text):
        raise invalid("The token has a text with characters that cannot be stored.")
    return text


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
