"""Chooses how people sign in: OpenID providers, a file of keys, or the local key where neither is set."""

import re
import time
from collections.abc import Callable
from itertools import zip_longest
from typing import Final

import structlog

from service.auth.identity import AFTER_ISSUER, Claims
from service.auth.key_sources import FixedKeys, Issuer, KeyFile
from service.auth.local_key import AUDIENCE, ISSUER, ensure_local_key, key_file, public_ring
from service.auth.token_rules import TokenRules
from service.auth.tokens import Authenticator, TrustedIssuer
from service.settings import InvalidSettings, Settings

_OF_NO_DIRECTORY: Final = re.compile(r"https://login\.microsoftonline\.\w+/(?:common|organizations|consumers)(?:/|$)")

log = structlog.get_logger(__name__)


def authenticator(settings: Settings, clock: Callable[[], float] = time.time) -> Authenticator:
    """Raises InvalidSettings, or LocalKeyUnusable."""
    claims = Claims(settings)
    if settings.read_only_roles and not settings.writer_roles:
        log.warning("IMS_READ_ONLY_ROLES is set and IMS_WRITER_ROLES is not: nobody but deployers may write")
    rules = TokenRules(
        settings.oidc_audience,
        settings.oidc_required_scopes,
        settings.token_leeway,
        at_jwt=settings.oidc_require_at_jwt,
    )
    if settings.oidc_issuer:
        return Authenticator(_issuers(settings), claims, rules, clock)
    if settings.jwks_file is None:
        return _of_the_local_key(settings, claims, clock)
    try:
        return Authenticator([TrustedIssuer(None, KeyFile(settings.jwks_file))], claims, rules, clock)
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"IMS_JWKS_FILE: {settings.jwks_file} cannot be used: {error}") from None


def _of_the_local_key(settings: Settings, claims: Claims, clock: Callable[[], float]) -> Authenticator:
    key = ensure_local_key(settings.data_dir)
    path = str(key_file(settings.data_dir))
    log.warning("tokens are taken that the local signing key made; set IMS_OIDC_ISSUER in production", path=path)
    issuers = [TrustedIssuer(ISSUER, FixedKeys(path, public_ring(key)))]
    return Authenticator(issuers, claims, TokenRules((AUDIENCE,), leeway=settings.token_leeway), clock)


def _issuers(settings: Settings) -> list[TrustedIssuer]:
    names, urls = settings.oidc_issuer, settings.oidc_jwks_url
    for name in names:
        _require_issuer(name)
    if len(set(names)) < len(names):
        raise InvalidSettings("IMS_OIDC_ISSUER: names an issuer twice")
    if urls and len(urls) != len(names):
        raise InvalidSettings(f"IMS_OIDC_JWKS_URL: has {len(urls)} addresses for {len(names)} issuers; give each one")
    for url in urls:
        _require_url("IMS_OIDC_JWKS_URL", url)
    if len(names) > 1:
        log.info("each issuer is trusted with every tenant", issuers=list(names))
    return [TrustedIssuer(name, Issuer(name, url)) for name, url in zip_longest(names, urls, fillvalue="")]


def _require_issuer(name: str) -> None:
    _require_url("IMS_OIDC_ISSUER", name)
    if "{" in name or _OF_NO_DIRECTORY.match(name):
        raise InvalidSettings(
            f"IMS_OIDC_ISSUER: {name} stands for many issuers; list the directories that may sign in, "
            "such as https://login.microsoftonline.com/<directory id>/v2.0"
        )
    if re.search(r"[?#\s]", name) or AFTER_ISSUER in name:
        raise InvalidSettings(f"IMS_OIDC_ISSUER: {name} is not an issuer: it has a query, a fragment, a blank or a |")


def _require_url(variable: str, value: str) -> None:
    if not value.startswith(("https://", "http://")):
        raise InvalidSettings(f"{variable}: begin with https:// or http://")
    if "@" in value:  # wherever it stands: a reserved character in a password makes a path of the rest
        raise InvalidSettings(
            f"{variable}: holds a user or a password, and addresses of keys are shown; leave it out, and write an @ "
            "that belongs to a path as %40"
        )
