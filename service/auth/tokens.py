"""Verifies bearer tokens (RFC 6750): signature, issuer, audience, times and kind; only then are their claims used."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self

import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jws import CompactSignature, extract_compact, validate_compact

from service.auth.errors import KeysUnreachable, ScopeMissing, Unauthenticated, invalid, malformed, missing
from service.auth.identity import Claims, Identity
from service.auth.key_ring import ALGORITHMS, KeyRing, PinnedAlgorithms
from service.auth.key_sources import KeySource
from service.auth.remembered import Remembered
from service.auth.token_rules import TokenRules

MAX_TOKEN = 128 * 1024  # characters, as many as a header may ever have
REFUSED_SECONDS = 5.0  # that a refusal is remembered, if nothing changes that would end it
MAX_REFUSED = 1024 * 1024  # characters of all refused headers together
UNREADABLE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)

log = structlog.get_logger(__name__)


class _Refused(NamedTuple):
    """`again` makes the refusal anew. `source`: where a key that would do may have come from since, None where no key
    would; `kid`: its id."""

    again: Callable[[], Exception]
    source: KeySource | None
    kid: str | None


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """`name` is what `iss` must be; None: anything, of which there can be no second."""

    name: str | None
    source: KeySource


class Authenticator:
    """Lets in whoever carries a token that its issuer's keys verify; `async with` keeps the keys fresh meanwhile."""

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        claims: Claims,
        rules: TokenRules,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """The clock gives Unix seconds."""
        self._issuers = {issuer.name: issuer.source for issuer in issuers}
        self._claims = claims
        self._rules = rules
        self._clock = clock
        self._algorithms = PinnedAlgorithms()
        self._times = rules.times(clock)
        self._remembered = Remembered[Identity]()
        self._refused = Remembered[_Refused](MAX_REFUSED, REFUSED_SECONDS)
        for source in self._issuers.values():
            source.changed = self._forget

    async def start(self) -> None:
        if self._rules.audiences is None:
            log.warning("the audience of tokens is not checked: a token for any service of the issuer is taken")
        for source in self._issuers.values():
            await source.start()

    async def stop(self) -> None:
        for source in self._issuers.values():
            await source.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def status(self) -> dict[str, object]:
        """For people: where keys come from, how many there are, and why the last look for them failed, if it did."""
        sources = list(self._issuers.values())
        several = len(sources) > 1
        errors = [f"{source.name}: {source.error}" if several else source.error for source in sources if source.error]
        return {
            "source": ", ".join(source.name for source in sources),
            "keys": sum(len(source.ring or ()) for source in sources),
            "error": "; ".join(errors) or None,
        }

    def remembered(self, authorization: str | None) -> Identity | None:
        """Whose header this is, where it was verified within the last minute and the keys are still the same."""
        return None if authorization is None else self._remembered.get(authorization, self._clock())

    async def authenticate(self, authorization: str | None) -> Identity:
        """Raises Unauthenticated, ScopeMissing, or KeysUnreachable where it cannot be found out."""
        identity = self.remembered(authorization)
        if identity is not None:
            return identity
        if authorization is None:
            raise missing()
        await self._refuse_again(authorization)
        source, kid, claims = None, None, dict[str, Any]()
        try:
            token = self._read(authorization)
            claims = _claims_of(token)
            source, kid = self._source_of(claims), token.protected.get("kid")
            await self._verify(token, source)
            # From here on nothing waits: a change of the keys forgets what was found out before, and this, too, if it
            # comes later.
            self._rules.check(token.protected, claims, self._times)
            identity = self._claims.identity(claims)
        except Unauthenticated as error:
            again: Callable[[], Exception] = partial(Unauthenticated, error.code, error.message, error.error)
            self._refuse(authorization, _Refused(again, source, kid), claims)
            raise
        except ScopeMissing as error:
            self._refuse(authorization, _Refused(partial(ScopeMissing, error.scopes), source, kid), claims)
            raise
        self._remembered.put(authorization, identity, self._clock(), claims["exp"])
        return identity

    def _refuse(self, authorization: str, refused: _Refused, claims: Mapping[str, Any]) -> None:
        now = self._clock()
        self._refused.put(authorization, refused, now, _valid_from(claims, self._rules.leeway, now))

    async def _refuse_again(self, authorization: str) -> None:
        """Raises Unauthenticated, ScopeMissing where that came of it a moment ago, and nothing has changed since."""
        refused = self._refused.get(authorization, self._clock())
        if refused is None:
            return
        if refused.source is not None:
            if refused.kid is None:
                await refused.source.look_again()
            else:
                await refused.source.look_for(refused.kid)
        if self._refused.get(authorization, self._clock()) is refused:  # else there are other keys by now
            raise refused.again()

    def _forget(self) -> None:
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
        self._rules.check_header(header)
        return token

    def _source_of(self, claims: dict[str, Any]) -> KeySource:
        """By what the token says of itself, which only the issuer's own keys can prove."""
        issuer = claims.get("iss")
        source = self._issuers.get(issuer) if isinstance(issuer, str) else None
        source = source or self._issuers.get(None)
        if source is None:
            raise invalid("The token is of another issuer.")
        return source

    async def _verify(self, token: CompactSignature, source: KeySource) -> None:
        kid = token.protected.get("kid")
        await source.look_for(kid)
        tried = source.ring
        if tried is None:
            raise KeysUnreachable(source.error)
        if self._holds(token, tried):
            return
        if kid is None:  # no id says that the key is a new one
            await source.look_again()
            if source.ring is not None and source.ring is not tried and self._holds(token, source.ring):
                return
        raise invalid("The token's signature does not hold, or its key is not known.")

    def _holds(self, token: CompactSignature, ring: KeyRing) -> bool:
        keys = ring.find(token.protected["alg"], token.protected.get("kid"))
        try:
            return any(validate_compact(token, key, registry=self._algorithms) for key in keys)
        except UNREADABLE:
            raise invalid("The token cannot be read.") from None


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.strip(" ").partition(" ")
    token = token.lstrip(" ")
    if scheme.lower() != "bearer" or not token:
        raise missing()
    if len(token) > MAX_TOKEN or " " in token or not token.isascii():
        raise malformed("The Authorization header holds something else than one token after Bearer.")
    return token


def _valid_from(claims: Mapping[str, Any], leeway: int, now: float) -> float:
    """When a token that is too new may be taken (Unix seconds); infinite where time changes nothing."""
    later = [value - leeway for value in map(claims.get, ("nbf", "iat")) if isinstance(value, int | float)]
    return min((moment for moment in later if moment > now), default=math.inf)


def _claims_of(token: CompactSignature) -> dict[str, Any]:
    """As the token has them; of names that stand twice, the last."""
    try:
        claims = orjson.loads(token.payload)
    except UNREADABLE:
        raise invalid("The token cannot be read.") from None
    if not isinstance(claims, dict):
        raise invalid("The token holds no claims.")
    return claims
