"""What a token must be, once its signature holds: an access token, for this service, now."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwt import JWTClaimsRegistry

from service.auth.errors import Refusal, ScopeMissing, Unauthenticated, invalid

LEEWAY: Final = 60  # seconds that the clocks of issuer and service may differ
ANY_AUDIENCE: Final = "*"
ACCESS_TOKEN_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})  # RFC 9068, 2.1
HEADER_TYPES: Final = ACCESS_TOKEN_TYPES | {"jwt"}
KINDS: Final = {
    "typ": frozenset({"bearer", "at+jwt"}),  # Keycloak: else ID, Refresh, Offline, Logout
    "token_use": frozenset({"access"}),  # Cognito: else id
    "token_type": frozenset({"access", "access_token", "at+jwt", "bearer"}),
}
"""Claims in which issuers say which kind of token it is, and what an access token has there."""
ID_TOKEN_CLAIMS: Final = frozenset({"at_hash", "c_hash", "s_hash", "nonce"})
EVENTS: Final = "events"
"""The claim that logout tokens and other security events have (RFC 8417), and access tokens never."""


class TokenRules:
    def __init__(
        self,
        audiences: tuple[str, ...],
        scopes: tuple[str, ...] = (),
        leeway: int = LEEWAY,
        *,
        at_jwt: bool = False,
    ) -> None:
        """`audiences`: a token names one of them; none, or `*` among them: any. `scopes`: a token has all of them.
        `leeway`: seconds. `at_jwt`: the header says that it is an access token."""
        self.audiences = None if not audiences or ANY_AUDIENCE in audiences else frozenset(audiences)
        self._scopes = scopes
        self.leeway = leeway
        self._at_jwt = at_jwt

    def times(self, clock: Callable[[], float] = time.time) -> JWTClaimsRegistry:
        """Who judges registered claims by this clock, which gives Unix seconds."""
        # The library asks for whole seconds and compares any number.
        return JWTClaimsRegistry(now=cast("Callable[[], int]", clock), leeway=self.leeway, exp={"essential": True})

    def check_header(self, header: Mapping[str, Any]) -> None:
        """Raises Unauthenticated."""
        if self._at_jwt and not _is_one_of(header.get("typ") or "", ACCESS_TOKEN_TYPES):
            raise invalid("The token is not an access token: its header must say typ at+jwt.")
        if not _is_one_of(header.get("typ"), HEADER_TYPES):
            raise invalid("The token is not an access token: its header has another typ.")

    def check(self, header: Mapping[str, Any], claims: dict[str, Any], times: JWTClaimsRegistry) -> None:
        """Raises Unauthenticated, ScopeMissing."""
        if not _is_access_token(header, claims):
            raise invalid("The token is not an access token.")
        self._check_audience(claims)
        try:
            times.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated(Refusal.TOKEN_EXPIRED, "The token has expired.") from None
        except JoseError:
            raise invalid("The token is not valid now, or its registered claims are not well formed.") from None
        self._check_scopes(claims)

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        if "aud" in claims and not _is_audience(claims["aud"]):
            raise invalid("The token's aud is neither a text nor a list of texts.")
        if self.audiences is None:
            return
        aud = claims.get("aud")
        given = [*(aud if isinstance(aud, list) else [aud]), claims.get("azp")]
        if aud is None:
            given.append(claims.get("client_id"))
        if not any(isinstance(name, str) and name in self.audiences for name in given):
            raise invalid("The token is for another audience.")

    def _check_scopes(self, claims: Mapping[str, Any]) -> None:
        if not self._scopes:
            return
        given = [claims[name] for name in ("scope", "scp") if name in claims]
        if not given:
            raise invalid("The token has no scope, so it is not an access token of this service.")
        scopes = {scope for value in given for scope in _listed(value)}
        if not scopes.issuperset(self._scopes):
            raise ScopeMissing(self._scopes)


def _is_access_token(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """An ID token that does not say so is told by claims that only those have; an access token that says so is one."""
    if EVENTS in claims or not all(_is_one_of(claims.get(name), allowed) for name, allowed in KINDS.items()):
        return False
    says_so = any(claims.get(name) is not None for name in KINDS) or str(header.get("typ") or "jwt").lower() != "jwt"
    return says_so or ID_TOKEN_CLAIMS.isdisjoint(claims)


def _is_one_of(value: object, allowed: frozenset[str]) -> bool:
    return value is None or (isinstance(value, str) and value.lower() in allowed)


def _is_audience(value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    return bool(texts) and all(isinstance(text, str) and text for text in texts)


def _listed(value: object) -> list[str]:
    if isinstance(value, str):
        return value.split(" ")
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
