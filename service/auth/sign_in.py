"""Chooses how people sign in: an OpenID provider, a file of keys, or the local key where neither is set."""

import time
from collections.abc import Callable

import structlog

from service.auth.identity import Claims
from service.auth.key_sources import FixedKeys, Issuer, KeyFile
from service.auth.local_key import AUDIENCE, ISSUER, ensure_local_key, key_file, public_ring
from service.auth.tokens import Authenticator
from service.settings import InvalidSettings, Settings

log = structlog.get_logger(__name__)


def authenticator(settings: Settings, clock: Callable[[], float] = time.time) -> Authenticator:
    """Raises InvalidSettings, or LocalKeyUnusable."""
    claims = Claims(settings)
    audience = settings.oidc_audience or None
    if settings.oidc_issuer:
        _require_url("IMS_OIDC_ISSUER", settings.oidc_issuer)
        if settings.oidc_jwks_url:
            _require_url("IMS_OIDC_JWKS_URL", settings.oidc_jwks_url)
        source = Issuer(settings.oidc_issuer, settings.oidc_jwks_url)
        return Authenticator(source, claims, settings.oidc_issuer, audience, clock)
    if settings.jwks_file:
        try:
            return Authenticator(KeyFile(settings.jwks_file), claims, None, audience, clock)
        except (OSError, ValueError) as error:
            raise InvalidSettings(f"IMS_JWKS_FILE: {settings.jwks_file} cannot be used: {error}") from None
    key = ensure_local_key(settings.data_dir)
    path = str(key_file(settings.data_dir))
    log.warning("tokens are taken that the local signing key made; set IMS_OIDC_ISSUER in production", path=path)
    return Authenticator(FixedKeys(path, public_ring(key)), claims, ISSUER, AUDIENCE, clock)


def _require_url(variable: str, value: str) -> None:
    if not value.startswith(("https://", "http://")):
        raise InvalidSettings(f"{variable}: begin with https:// or http://")
