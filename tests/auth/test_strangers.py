"""Whatever a stranger sends is refused as such; no exception of a library gets through."""

import time
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from joserfc.jws import serialize_compact
from joserfc.util import urlsafe_b64encode

from service.auth.errors import Unauthenticated
from service.auth.identity import Claims, Identity
from service.auth.key_ring import ALGORITHMS, KeyRing
from service.auth.key_sources import FixedKeys
from service.auth.token_rules import TokenRules
from service.auth.tokens import Authenticator, TrustedIssuer
from service.settings import Settings
from tests.auth.outcomes import PATIENT

KEY = ECKey.generate_key("P-256", {"kid": "k"})
HEADER = {"alg": "ES256", "kid": "k"}
KEYS = TrustedIssuer("https://issuer.example", FixedKeys("keys", KeyRing([KEY])))
SERVICE = Authenticator([KEYS], Claims(Settings()), TokenRules(("ims",)))
GOOD = {
    "iss": "https://issuer.example",
    "aud": "ims",
    "sub": "u-1",
    "exp": int(time.time()) + 3600,
    "active_tenant": {"tenant_id": "acme", "roles": ["x"]},
}

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
HEADER_NAMES = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "x5u", "enc", "cty"])
HEADER_VALUES = JSON | st.sampled_from([*ALGORITHMS, "none", "HS256", "k", "JWT", "at+jwt", ["b64"], ["alg"]])
CLAIM_NAMES = st.sampled_from([*GOOD, "nbf", "iat", "jti", "typ", "azp", "name", "realm_access", "nonce"])


def dumps(value: object) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)


async def outcome(authorization: str) -> Identity | None:
    try:
        return await SERVICE.authenticate(authorization)
    except Unauthenticated:
        return None


@PATIENT
@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
async def test_any_header(text: str) -> None:
    assert await outcome(text) is None
    assert await outcome(f"Bearer {text}") is None


@PATIENT
@given(st.lists(st.binary(max_size=60).map(urlsafe_b64encode), min_size=3, max_size=3))
async def test_any_three_parts(parts: list[bytes]) -> None:
    assert await outcome(f"Bearer {b'.'.join(parts).decode()}") is None


@PATIENT
@given(st.dictionaries(HEADER_NAMES, HEADER_VALUES) | JSON, st.binary(max_size=80))
async def test_any_header_of_a_token(header: Any, signature: bytes) -> None:
    if isinstance(header, dict):
        header = HEADER | header
    try:
        parts = [dumps(header), dumps(GOOD), signature]
    except orjson.JSONEncodeError:
        return
    assert await outcome(f"Bearer {b'.'.join(map(urlsafe_b64encode, parts)).decode()}") is None


@PATIENT
@given(st.dictionaries(CLAIM_NAMES, JSON))
async def test_any_claims_that_are_signed(claims: dict[str, Any]) -> None:
    try:
        payload = dumps(GOOD | claims)
    except orjson.JSONEncodeError:
        return
    token = serialize_compact(HEADER, payload, KEY, ["ES256"])
    identity = await outcome(f"Bearer {token}")
    if not claims:
        assert identity is not None


@PATIENT
@given(st.binary(max_size=300))
async def test_any_bytes_that_are_signed(payload: bytes) -> None:
    token = serialize_compact(HEADER, payload, KEY, ["ES256"])
    assert await outcome(f"Bearer {token}") is None


@PATIENT
@given(st.data())
async def test_no_changed_character_goes_unnoticed(data: st.DataObject) -> None:
    token = serialize_compact(HEADER, orjson.dumps(GOOD), KEY, ["ES256"])
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda char: char != token[place]))
    assert await outcome(f"Bearer {token[:place]}{other}{token[place + 1 :]}") is None
