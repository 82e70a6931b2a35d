"""Verifies bearer tokens (RFC 6750): signature, issuer, audience, times and kind; only then are their claims used."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import orjson
import structlog
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jws import CompactSignature, extract_compact, validate_compact
from joserfc.jwt import JWTClaimsRegistry

from service.auth.errors import KeysUnreachable, Refusal, Unauthenticated, invalid
from service.auth.identity import Claims, Identity
from service.auth.key_ring import ALGORITHMS, KeyRing, PinnedAlgorithms
from service.auth.key_sources import KeySource
from service.auth.remembered import Remembered

LEEWAY = 10  # seconds that the clocks of issuer and service may differ
MAX_HEADER = 16 * 1024  # characters of an Authorization header
ANY_AUDIENCE = "*"
HEADER_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
CLAIM_TYPES = frozenset({"bearer", "at+jwt"})
ID_TOKEN_CLAIMS = frozenset({"at_hash", "c_hash", "nonce"})
MISSING = "The request carries no bearer token."
REFUSED_SECONDS = 5.0  # that a refusal is remembered, if nothing changes that would end it
MAX_REFUSED = 1024 * 1024  # characters of all refused headers together
UNREADABLE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)

log = structlog.get_logger(__name__)


class _Refused(NamedTuple):
    """Why a token was refused; whether its key is there now is asked each time."""

    code: Refusal
    message: str
    kid: str | None


class Authenticator:
    """Lets in whoever carries a token that the source's keys verify; `async with` keeps the keys fresh meanwhile."""

    def __init__(
        self,
        source: KeySource,
        claims: Claims,
        issuer: str | None,
        audience: str | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """None as issuer or audience: any. The clock gives Unix seconds."""
        self._source = source
        self._claims = claims
        self._issuer = issuer
        self._audience = None if audience == ANY_AUDIENCE else audience
        self._clock = clock
        self._algorithms = PinnedAlgorithms()
        self._registry = JWTClaimsRegistry(now=lambda: int(clock()), leeway=LEEWAY, exp={"essential": True})
        self._remembered = Remembered[Identity]()
        self._refused = Remembered[_Refused](MAX_REFUSED, REFUSED_SECONDS)
        self._ring: KeyRing | None = None

    async def start(self) -> None:
        if self._audience is None:
            log.warning("the audience of tokens is not checked: a token for any service of the issuer is taken")
        await self._source.start()

    async def stop(self) -> None:
        await self._source.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def status(self) -> dict[str, object]:
        """For people: where keys come from, how many there are, and why the last look for them failed, if it did."""
        return {"source": self._source.name, "keys": len(self._source.ring or ()), "error": self._source.error}

    def remembered(self, authorization: str | None) -> Identity | None:
        """Whose header this is, where it was verified within the last minute and the keys are still the same."""
        self._follow_keys()
        return None if authorization is None else self._remembered.get(authorization, self._clock())

    async def authenticate(self, authorization: str | None) -> Identity:
        """Raises Unauthenticated, or KeysUnreachable where it cannot be found out."""
        identity = self.remembered(authorization)
        if identity is not None:
            return identity
        if authorization is None:
            raise Unauthenticated(Refusal.TOKEN_MISSING, MISSING)
        await self._refuse_again(authorization)
        kid, claims = None, dict[str, Any]()
        try:
            token = self._read(authorization)
            kid = token.protected.get("kid")
            await self._source.look_for(kid)
            ring = self._source.ring
            if ring is None:
                raise KeysUnreachable(self._source.error)
            # From here on nothing waits: what is remembered was verified with the ring that `remembered` compares.
            self._follow_keys()
            claims |= self._verified(token, ring)
            self._check(token.protected, claims)
            identity = self._claims.identity(claims)
        except Unauthenticated as error:
            now = self._clock()
            refused = _Refused(error.code, error.message, kid)
            self._refused.put(authorization, refused, now, _valid_from(claims, now))
            raise
        self._remembered.put(authorization, identity, self._clock(), claims["exp"])
        return identity

    async def _refuse_again(self, authorization: str) -> None:
        """Raises Unauthenticated where the token was refused a moment ago, and nothing has changed since."""
        refused = self._refused.get(authorization, self._clock())
        if refused is None:
            return
        if refused.kid is not None:
            await self._source.look_for(refused.kid)
        if self._source.ring is self._ring:
            raise Unauthenticated(refused.code, refused.message)

    def _follow_keys(self) -> None:
        if self._source.ring is not self._ring:
            self._ring = self._source.ring
            self._remembered.clear()
            self._refused.clear()

    def _read(self, authorization: str) -> CompactSignature:
        text = _bearer(authorization)
        try:
            token = extract_compact(text.encode("ascii"), registry=self._algorithms)
            header: Any = token.protected
        except UNREADABLE:
            raise invalid("The token is not a signed JWT.") from None
        if not isinstance(header, dict) or "crit" in header:
            raise invalid("The token's header is not understood.")
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise invalid("The token is not signed with an algorithm that is taken here.")
        if kid is not None and not isinstance(kid, str):
            raise invalid("The token's header is not understood.")
        if not _is_one_of(header.get("typ"), HEADER_TYPES):
            raise invalid("The token is not an access token.")
        return token

    def _verified(self, token: CompactSignature, ring: KeyRing) -> dict[str, Any]:
        keys = ring.find(token.protected["alg"], token.protected.get("kid"))
        if not keys:
            raise invalid("The token is signed with a key that is not known.")
        try:
            if not any(validate_compact(token, key, registry=self._algorithms) for key in keys):
                raise invalid("The token's signature does not hold.")
            claims = orjson.loads(token.payload)
        except UNREADABLE:
            raise invalid("The token cannot be read.") from None
        if not isinstance(claims, dict):
            raise invalid("The token holds no claims.")
        return claims

    def _check(self, header: Mapping[str, Any], claims: dict[str, Any]) -> None:
        if self._issuer is not None and claims.get("iss") != self._issuer:
            raise invalid("The token is of another issuer.")
        if self._audience is not None and not _names(claims, self._audience):
            raise invalid("The token is for another audience.")
        if not _is_one_of(claims.get("typ"), CLAIM_TYPES) or _is_id_token(header, claims):
            raise invalid("The token is not an access token.")
        try:
            self._registry.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated(Refusal.TOKEN_EXPIRED, "The token has expired.") from None
        except JoseError:
            raise invalid("The token is not valid now, or its registered claims are not well formed.") from None


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.strip(" ").partition(" ")
    token = token.lstrip(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(Refusal.TOKEN_MISSING, MISSING)
    if len(token) > MAX_HEADER or " " in token or not token.isascii():
        raise invalid("The token is not a signed JWT.")
    return token


def _valid_from(claims: Mapping[str, Any], now: float) -> float:
    """When a token that is too new may be taken (Unix seconds); infinite where time changes nothing."""
    later = [value - LEEWAY for value in map(claims.get, ("nbf", "iat")) if isinstance(value, int | float)]
    return min((moment for moment in later if moment > now), default=math.inf)


def _is_one_of(value: object, allowed: frozenset[str]) -> bool:
    return value is None or (isinstance(value, str) and value.lower() in allowed)


def _names(claims: Mapping[str, Any], audience: str) -> bool:
    aud = claims.get("aud")
    return audience in (aud if isinstance(aud, list) else [aud]) or claims.get("azp") == audience


def _is_id_token(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """An ID token that does not say so is told by claims that only those have; an access token that says so is one."""
    if claims.get("typ") is not None or str(header.get("typ", "jwt")).lower() != "jwt":
        return False
    return not ID_TOKEN_CLAIMS.isdisjoint(claims)
