"""Makes tokens with the local signing key, for trying the service out and for installations without a provider."""

import time
import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from joserfc import jwt

from service.auth.errors import MintingRefused, Unauthenticated
from service.auth.identity import MAX_USER_NAME, Claims
from service.auth.local_key import ALGORITHM, AUDIENCE, ISSUER, existing_local_key
from service.claim_path import ClaimPath
from service.settings import Settings

DEFAULT_LIFE = timedelta(hours=12)
MAX_LIFE = timedelta(days=366)
_AUTHORIZATION = "Authorization: Bearer "


def mint(
    settings: Settings,
    tenant: str,
    user: str,
    name: str | None = None,
    roles: Collection[str] = (),
    expires: timedelta = DEFAULT_LIFE,
) -> str:
    """A token that the service takes when it runs with the same settings.

    Raises MintingRefused, or LocalKeyUnusable.
    """
    variable = "IMS_OIDC_ISSUER" if settings.oidc_issuer else "IMS_JWKS_FILE" if settings.jwks_file else None
    if variable:
        raise MintingRefused(f"{variable} is set, so no token of the local key would be taken: get one there.")
    if not timedelta(seconds=1) <= expires <= MAX_LIFE:
        raise MintingRefused(f"A token lives at least a second and at most {MAX_LIFE.days} days.")
    now = int(time.time())
    life = int(expires.total_seconds())
    claims: dict[str, Any] = {
        "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + life, "jti": str(uuid.uuid4())
    }  # fmt: skip
    _place(claims, settings.user_claim, user)
    claims.setdefault("sub", user)
    if name is not None:
        _place(claims, settings.name_claim, name)
    _place(claims, settings.tenant_claim, tenant)
    _place(claims, settings.roles_claim, list(roles))
    _prove(settings, claims, tenant, user, name, roles)
    key = existing_local_key(settings.data_dir)
    token = jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "at+jwt"}, claims, key, [ALGORITHM])
    if len(_AUTHORIZATION) + len(token) > settings.max_header_size:
        raise MintingRefused(
            f"The token would not fit into a header of IMS_MAX_HEADER_SIZE bytes, {settings.max_header_size}."
        )
    return token


def _place(claims: dict[str, Any], path: str, value: object) -> None:
    *folders, last = ClaimPath(path).names
    folder: Any = claims
    for name in folders:
        folder = folder.setdefault(name, {}) if isinstance(folder, dict) else None
    if not isinstance(folder, dict) or last in folder:
        raise MintingRefused(f"The claim {path} has another meaning in a token: set another path for it.")
    folder[last] = value


def _prove(
    settings: Settings, claims: dict[str, Any], tenant: str, user: str, name: str | None, roles: Collection[str]
) -> None:
    """What was asked for is what the service will read."""
    try:
        identity = Claims(settings).identity(claims)
    except Unauthenticated as error:
        raise MintingRefused(error.message) from None
    if (identity.tenant_id, identity.user_id) != (tenant, user) or identity.roles != frozenset(roles):
        raise MintingRefused("The service would not read these from a token as they were given.")
    if name is not None and identity.user_name != name:
        raise MintingRefused(f"A name has at most {MAX_USER_NAME} characters, not all of them spaces.")
