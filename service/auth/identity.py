"""From the claims of a verified token to the identity that the rest of the service knows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from service.auth.errors import invalid
from service.auth.roles import UNSTORABLE, RoleRights, role_names
from service.auth.tenant_ids import tenant_id_of
from service.claim_path import ClaimPath
from service.settings import Settings

MAX_USER_ID = 255  # code points, OpenID Connect Core 2
MAX_USER_NAME = 200  # code points
FALLBACK_TENANT_CLAIMS = {"active_tenant.tenant_id": ClaimPath("active_tenant.id")}
REALM_ROLES_CLAIM = ClaimPath("realm_access.roles")
REALM_ROLES = frozenset({"system-admin"})
NEVER = 2**62  # Unix seconds
AFTER_ISSUER = "|"
"""Stands between issuer and user in the ids of those who do not come from the first issuer; no issuer has it."""

log = structlog.get_logger(__name__)


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
        self._tenant_claim = ClaimPath(settings.tenant_claim)
        self._fallback = FALLBACK_TENANT_CLAIMS.get(settings.tenant_claim)
        self._roles_claim = ClaimPath(settings.roles_claim)
        self._user_claim = ClaimPath(settings.user_claim)
        names = (settings.name_claim, "name", "preferred_username")
        self._name_claims = [ClaimPath(name) for name in dict.fromkeys(names)]
        self._rights = RoleRights(settings)
        self._later_issuers = {issuer: issuer + AFTER_ISSUER for issuer in settings.oidc_issuer[1:]}
        self._roles_looked_for = True
        """Until they are found once, or it is said that they are not."""

    def identity(self, claims: Mapping[str, Any]) -> Identity:
        """Raises Unauthenticated where the claims name no user or no tenant, or in a form that cannot be used."""
        user = self._user(claims)
        user_id = self._user_id(user, claims.get("iss"))
        tenant_id = self._tenant_id(claims)
        roles = self._roles(claims)
        rights = self._rights.of(roles)
        return Identity(
            tenant_id=tenant_id,
            user_id=user_id,
            user_name=self._user_name(claims, user),
            roles=roles,
            may_define=rights.may_define,
            may_write=rights.may_write,
            may_audit=rights.may_audit,
            may_erase=rights.may_erase,
            expires_at=_expiry(claims),
        )

    def _tenant_id(self, claims: Mapping[str, Any]) -> str:
        value = self._tenant_claim.find(claims)
        if value is None and self._fallback is not None:
            value = self._fallback.find(claims)
        return tenant_id_of(value, self._tenant_claim)

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[str]:
        value = self._roles_claim.find(claims)
        if self._roles_looked_for:
            self._roles_looked_for = False
            if value is None:
                log.warning(
                    "the first token has no claim with roles: see to IMS_ROLES_CLAIM if others should have one",
                    claim=self._roles_claim.text,
                )
        realm = REALM_ROLES_CLAIM.find(claims)
        names = [name for name in realm if isinstance(name, str)] if isinstance(realm, list) else []
        return role_names(value) | REALM_ROLES.intersection(names)

    def _user(self, claims: Mapping[str, Any]) -> str:
        value = self._user_claim.find(claims)
        if not isinstance(value, str) or not value.strip():
            raise invalid(f"The token names no user: its claim {self._user_claim} is not a text.")
        return _storable(value)

    def _user_id(self, user: str, issuer: object) -> str:
        """Of two issuers' users with one id, neither is taken for the other."""
        prefix = self._later_issuers.get(issuer, "") if isinstance(issuer, str) else ""
        if len(prefix) + len(user) > MAX_USER_ID:
            raise invalid(f"The token's user id is longer than {MAX_USER_ID - len(prefix)} characters.")
        if not prefix and user.startswith(tuple(self._later_issuers.values())):
            raise invalid("The token's user id begins like those of another issuer's users.")
        return prefix + user

    def _user_name(self, claims: Mapping[str, Any], user: str) -> str:
        for claim in self._name_claims:
            value = claim.find(claims)
            if isinstance(value, str) and value.strip():
                return _shown(_storable(value))
        return _shown(user)


def _expiry(claims: Mapping[str, Any]) -> float:
    value = claims.get("exp")
    # An integer may be too long for a float.
    return float(min(value, NEVER)) if isinstance(value, int | float) else math.inf


def _shown(name: str) -> str:
    # A cut that leaves only spaces would be no name at all.
    return name[:MAX_USER_NAME] if name[:MAX_USER_NAME].strip() else name.strip()[:MAX_USER_NAME]


def _storable(text: str) -> str:
    if UNSTORABLE.search(text):
        raise invalid("The token has a text with characters that cannot be stored.")
    return text
