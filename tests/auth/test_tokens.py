"""Which tokens are taken: signature, algorithm, issuer, audience, times, kind."""

import hashlib
import hmac
import time
from typing import Any

import orjson
import pytest
import structlog
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import serialize_compact
from joserfc.util import urlsafe_b64encode

from service.auth.errors import Refusal
from service.auth.identity import Claims, Identity
from service.auth.key_ring import MAX_TRIED, KeyRing
from service.auth.key_sources import FixedKeys
from service.auth.remembered import REMEMBER, Remembered
from service.auth.token_rules import LEEWAY, TokenRules
from service.auth.tokens import MAX_TOKEN, Authenticator, TrustedIssuer
from service.settings import Settings
from tests.auth.conftest import Start
from tests.auth.outcomes import let_in, refusal
from tests.servers.issuer import AUDIENCE, OidcIssuer


class Clock:
    """Time that a test moves; it begins at the real one, so that an issuer's tokens hold."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def with_clock(issuer: OidcIssuer, clock: Clock) -> Authenticator:
    keys = FixedKeys("keys", KeyRing.read(issuer.jwks()))
    return Authenticator([TrustedIssuer(issuer.url, keys)], Claims(Settings()), TokenRules((AUDIENCE,)), clock)


def by_hand(header: object, claims: object, secret: bytes = b"") -> str:
    """What no library would sign: any header, HMAC with any bytes."""
    text = urlsafe_b64encode(orjson.dumps(header)) + b"." + urlsafe_b64encode(orjson.dumps(claims))
    signature = hmac.new(secret, text, hashlib.sha256).digest() if secret else b""
    return f"Bearer {text.decode()}.{urlsafe_b64encode(signature).decode()}"


async def test_a_good_token_is_let_in(issuer: OidcIssuer, service: Authenticator) -> None:
    identity = await let_in(service, issuer.bearer())
    assert (identity.tenant_id, identity.user_id, identity.user_name) == ("acme", "u-1", "Ann Example")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "  Bearer", "Bearer   "])
async def test_the_scheme_is_read_in_any_case(issuer: OidcIssuer, service: Authenticator, scheme: str) -> None:
    await let_in(service, f"{scheme} {issuer.token()}")


@pytest.mark.parametrize("header", [None, "", " ", "Bearer", "Bearer  ", "Basic dTpw", "Bearer\tx", "Bearerx.y.z"])
async def test_without_a_token(service: Authenticator, header: str | None) -> None:
    assert await refusal(service, header) is Refusal.TOKEN_MISSING


@pytest.mark.parametrize(
    "token", ["x", "..", "a.b.c", "a.b.c.d.e", "é.é.é", "\ud800", "e30.e30.e30", "bnVsbA.e30.", "W10.e30.", "a.b.c, d"]
)
async def test_malformed_tokens(service: Authenticator, token: str) -> None:
    assert await refusal(service, f"Bearer {token}") is Refusal.TOKEN_INVALID


async def test_two_tokens(issuer: OidcIssuer, service: Authenticator) -> None:
    assert await refusal(service, f"{issuer.bearer()} {issuer.token()}") is Refusal.TOKEN_INVALID


async def test_a_token_that_is_too_long(issuer: OidcIssuer, service: Authenticator) -> None:
    assert await refusal(service, issuer.bearer(ballast="x" * MAX_TOKEN)) is Refusal.TOKEN_INVALID


async def test_deeply_nested_json(service: Authenticator) -> None:
    deep = urlsafe_b64encode(b'{"alg":' + b"[" * 2900).decode()
    assert await refusal(service, f"Bearer {deep}.e30.AA") is Refusal.TOKEN_INVALID


async def test_a_changed_claim(issuer: OidcIssuer, service: Authenticator) -> None:
    header, _, signature = issuer.token().split(".")
    claims = urlsafe_b64encode(orjson.dumps(issuer.claims(sub="u-2"))).decode()
    assert await refusal(service, f"Bearer {header}.{claims}.{signature}") is Refusal.TOKEN_INVALID


class TestTimes:
    async def test_expired(self, issuer: OidcIssuer, service: Authenticator) -> None:
        assert await refusal(service, issuer.bearer(exp=int(time.time()) - LEEWAY - 1)) is Refusal.TOKEN_EXPIRED

    async def test_expired_by_less_than_clocks_differ(self, issuer: OidcIssuer, service: Authenticator) -> None:
        token = issuer.bearer(exp=int(time.time()) - LEEWAY + 3)
        await service.authenticate(token)
        assert service.remembered(token) is None

    @pytest.mark.parametrize("exp", [None, "soon", True, [], "9999999999"])
    async def test_without_an_expiry(self, issuer: OidcIssuer, service: Authenticator, exp: object) -> None:
        assert await refusal(service, issuer.bearer(exp=exp)) is Refusal.TOKEN_INVALID

    async def test_not_yet_valid(self, issuer: OidcIssuer, service: Authenticator) -> None:
        assert await refusal(service, issuer.bearer(nbf=int(time.time()) + LEEWAY + 5)) is Refusal.TOKEN_INVALID

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    async def test_clocks_may_differ_by_a_minute_or_as_the_setting_says(
        self, issuer: OidcIssuer, service: Authenticator, start: Start, claim: str
    ) -> None:
        now = int(time.time())
        ahead: dict[str, Any] = {claim: now + 20}
        far_ahead: dict[str, Any] = {claim: now + 120}
        await let_in(service, issuer.bearer(**ahead))
        assert await refusal(service, issuer.bearer(**far_ahead)) is Refusal.TOKEN_INVALID
        strict = await start(token_leeway=0)
        assert await refusal(strict, issuer.bearer(**ahead)) is Refusal.TOKEN_INVALID
        await let_in(await start(token_leeway=300), issuer.bearer(**far_ahead))

    async def test_so_they_may_for_the_expiry(self, issuer: OidcIssuer, service: Authenticator, start: Start) -> None:
        now = int(time.time())
        await service.authenticate(issuer.bearer(exp=now - 20))
        assert await refusal(await start(token_leeway=0), issuer.bearer(exp=now - 20)) is Refusal.TOKEN_EXPIRED
        await (await start(token_leeway=300)).authenticate(issuer.bearer(exp=now - 120))

    @pytest.mark.parametrize("exp", [1e308, 2**63, 10**18 + 0.5])
    async def test_a_far_expiry(self, issuer: OidcIssuer, service: Authenticator, exp: float) -> None:
        await let_in(service, issuer.bearer(exp=exp))

    async def test_valid_in_less_than_clocks_differ(self, issuer: OidcIssuer, service: Authenticator) -> None:
        await let_in(service, issuer.bearer(nbf=int(time.time()) + LEEWAY - 3))

    async def test_a_remembered_token_expires(self, issuer: OidcIssuer) -> None:
        clock = Clock()
        service = with_clock(issuer, clock)
        token = issuer.bearer(exp=int(clock.now) + 5)
        await let_in(service, token)
        clock.now += 5
        assert service.remembered(token) is None
        clock.now += LEEWAY
        assert await refusal(service, token) is Refusal.TOKEN_EXPIRED

    async def test_a_token_is_remembered_for_a_minute_at_most(self, issuer: OidcIssuer) -> None:
        clock = Clock()
        service = with_clock(issuer, clock)
        token = issuer.bearer()
        identity = await let_in(service, token)
        clock.now += REMEMBER - 1
        assert service.remembered(token) == identity
        clock.now += 1
        assert service.remembered(token) is None


class TestIssuerAndAudience:
    @pytest.mark.parametrize("iss", [None, "", "https://elsewhere.example", ["x"], 1])
    async def test_another_issuer(self, issuer: OidcIssuer, service: Authenticator, iss: object) -> None:
        assert await refusal(service, issuer.bearer(iss=iss)) is Refusal.TOKEN_INVALID

    async def test_the_issuer_with_a_slash_more(self, issuer: OidcIssuer, service: Authenticator) -> None:
        assert await refusal(service, issuer.bearer(iss=f"{issuer.url}/")) is Refusal.TOKEN_INVALID

    @pytest.mark.parametrize(
        "aud", [None, "", "account", f"{AUDIENCE}x", [], ["account"], [AUDIENCE, 1], {AUDIENCE: 1}]
    )
    async def test_another_audience(self, issuer: OidcIssuer, service: Authenticator, aud: object) -> None:
        assert await refusal(service, issuer.bearer(aud=aud)) is Refusal.TOKEN_INVALID

    @pytest.mark.parametrize("claims", [{"aud": ["account", AUDIENCE]}, {"aud": "account", "azp": AUDIENCE}])
    async def test_the_audience_in_a_list_or_as_azp(
        self, issuer: OidcIssuer, service: Authenticator, claims: dict[str, Any]
    ) -> None:
        await let_in(service, issuer.bearer(**claims))

    async def test_another_azp(self, issuer: OidcIssuer, service: Authenticator) -> None:
        assert await refusal(service, issuer.bearer(aud="account", azp="account")) is Refusal.TOKEN_INVALID

    @pytest.mark.parametrize("aud", [None, "account", ["account"]])
    async def test_any_audience_where_the_setting_says_so(self, issuer: OidcIssuer, start: Start, aud: object) -> None:
        await let_in(await start(oidc_audience="*"), issuer.bearer(aud=aud))

    async def test_a_warning_says_that_any_audience_is_taken(self, start: Start) -> None:
        with structlog.testing.capture_logs() as logs:
            await start()
            await start(oidc_audience="*")
        assert [entry["event"].split(":")[0] for entry in logs] == ["the audience of tokens is not checked"]

    async def test_any_audience_is_no_audience(self, issuer: OidcIssuer, service: Authenticator) -> None:
        assert await refusal(service, issuer.bearer(aud="*")) is Refusal.TOKEN_INVALID


class TestAlgorithms:
    @pytest.mark.parametrize("name", ["none", "None", "NONE", "HS256", "", None, 5, ["ES256"], {"ES256": 1}])
    async def test_no_algorithm_or_one_that_is_not_taken(
        self, issuer: OidcIssuer, service: Authenticator, name: object
    ) -> None:
        header = {"alg": name, "kid": "first"}
        assert await refusal(service, by_hand(header, issuer.claims())) is Refusal.TOKEN_INVALID

    async def test_hmac_with_the_public_key(self, issuer: OidcIssuer, service: Authenticator) -> None:
        key = issuer.keys["first"]
        assert isinstance(key, ECKey)
        public = key.as_dict(private=False)
        for secret in (key.as_pem(), key.as_der(), orjson.dumps(public), issuer.jwks()):
            token = by_hand({"alg": "HS256", "kid": "first"}, issuer.claims(), secret)
            assert await refusal(service, token) is Refusal.TOKEN_INVALID

    async def test_a_symmetric_key_of_the_issuer(self, issuer: OidcIssuer, start: Start) -> None:
        issuer.add_key("shared", OctKey.generate_key(256, {"kid": "shared", "alg": "HS256"}))
        service = await start()
        issuer.jwks_text = orjson.dumps({"keys": [key.as_dict() for key in issuer.keys.values()]})
        assert await refusal(service, issuer.bearer()) is Refusal.TOKEN_INVALID

    @pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
    @pytest.mark.parametrize(
        ("key", "algorithm"),
        [
            (RSAKey.generate_key(2048), "RS256"),
            (RSAKey.generate_key(2048), "PS512"),
            (ECKey.generate_key("P-384"), "ES384"),
            (ECKey.generate_key("P-521"), "ES512"),
            (OKPKey.generate_key("Ed25519"), "EdDSA"),
            (OKPKey.generate_key("Ed25519"), "Ed25519"),
        ],
        ids=lambda value: value if isinstance(value, str) else value.key_type,
    )
    async def test_each_kind_of_key(self, issuer: OidcIssuer, start: Start, key: Key, algorithm: str) -> None:
        issuer.add_key("other", key)
        issuer.jwks_text = orjson.dumps({"keys": [key.as_dict(private=False, kid="other")]})
        await let_in(await start(), issuer.bearer({"alg": algorithm}))

    @pytest.mark.parametrize(
        "members", [{"alg": "RS512"}, {"use": "enc"}, {"key_ops": ["sign"]}, {"kty": "EC"}, {"n": "AQAB"}]
    )
    async def test_a_key_for_something_else(self, issuer: OidcIssuer, start: Start, members: dict[str, Any]) -> None:
        key = issuer.add_key("other", RSAKey.generate_key(2048))
        issuer.jwks_text = orjson.dumps({"keys": [key.as_dict(private=False) | {"kid": "other"} | members]})
        assert await refusal(await start(), issuer.bearer({"alg": "RS256"})) is Refusal.TOKEN_INVALID

    async def test_a_short_rsa_key(self, issuer: OidcIssuer, start: Start) -> None:
        with pytest.warns(match="2048"):
            key = issuer.add_key("short", RSAKey.generate_key(1024))
        issuer.jwks_text = orjson.dumps({"keys": [key.as_dict(private=False, kid="short")]})
        assert await refusal(await start(), issuer.bearer({"alg": "RS256"})) is Refusal.TOKEN_INVALID

    async def test_a_key_that_the_token_brings_along(self, issuer: OidcIssuer, service: Authenticator) -> None:
        own = ECKey.generate_key("P-256", {"kid": "first", "alg": "ES256"})
        public = own.as_dict(private=False)
        for header in (
            {"jwk": public},
            {"jku": f"{issuer.url}/own"},
            {"x5u": f"{issuer.url}/own"},
            {"kid": None, "jwk": public},
        ):
            assert await refusal(service, issuer.bearer(header, own)) is Refusal.TOKEN_INVALID
        assert set(issuer.requests) <= {"/jwks", "/.well-known/openid-configuration"}

    async def test_a_header_that_must_be_understood(self, issuer: OidcIssuer, service: Authenticator) -> None:
        for header in ({"crit": ["b64"], "b64": False}, {"crit": 1}, {"crit": ["later"], "later": 1}):
            token = by_hand({"alg": "ES256", "kid": "first"} | header, issuer.claims())
            assert await refusal(service, token) is Refusal.TOKEN_INVALID
        assert await refusal(service, issuer.bearer({"crit": ["kid"]})) is Refusal.TOKEN_INVALID


class TestKinds:
    @pytest.mark.parametrize("typ", [None, "Bearer", "bearer", "at+jwt", "AT+JWT"])
    async def test_an_access_token(self, issuer: OidcIssuer, service: Authenticator, typ: str | None) -> None:
        await let_in(service, issuer.bearer(typ=typ))

    @pytest.mark.parametrize("typ", ["ID", "Refresh", "Offline", "Logout", "", 1, ["Bearer"]])
    async def test_another_kind(self, issuer: OidcIssuer, service: Authenticator, typ: object) -> None:
        assert await refusal(service, issuer.bearer(typ=typ)) is Refusal.TOKEN_INVALID

    @pytest.mark.parametrize("claim", ["nonce", "at_hash", "c_hash"])
    async def test_an_id_token_that_does_not_say_so(
        self, issuer: OidcIssuer, service: Authenticator, claim: str
    ) -> None:
        claims: dict[str, Any] = {"typ": None, claim: "x"}
        assert await refusal(service, issuer.bearer(**claims)) is Refusal.TOKEN_INVALID

    async def test_an_access_token_with_a_nonce(self, issuer: OidcIssuer, service: Authenticator) -> None:
        await let_in(service, issuer.bearer(typ="Bearer", nonce="x"))
        await let_in(service, issuer.bearer({"typ": "at+jwt"}, typ=None, nonce="x"))

    @pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
    async def test_a_header_of_an_access_token(self, issuer: OidcIssuer, service: Authenticator, typ: str) -> None:
        await let_in(service, issuer.bearer({"typ": typ}))

    @pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", ""])
    async def test_a_header_of_another_kind(self, issuer: OidcIssuer, service: Authenticator, typ: str) -> None:
        assert await refusal(service, issuer.bearer({"typ": typ})) is Refusal.TOKEN_INVALID


async def test_the_same_key_id_of_another_issuer(issuer: OidcIssuer, service: Authenticator) -> None:
    async with OidcIssuer() as other:
        assert await refusal(service, other.bearer()) is Refusal.TOKEN_INVALID
        assert await refusal(service, other.bearer(iss=issuer.url)) is Refusal.TOKEN_INVALID


async def test_without_a_key_id_each_key_that_fits_is_tried(issuer: OidcIssuer, start: Start) -> None:
    keys = [issuer.add_key(f"key-{n}") for n in range(MAX_TRIED + 1)]
    issuer.jwks_text = orjson.dumps({"keys": [key.as_dict(private=False) for key in keys]})
    service = await start()
    for key in keys[:MAX_TRIED]:
        await let_in(service, issuer.bearer({"kid": None}, key))
    assert await refusal(service, issuer.bearer({"kid": None}, keys[MAX_TRIED])) is Refusal.TOKEN_INVALID
    await let_in(service, issuer.bearer({}, keys[MAX_TRIED]))
    stranger = ECKey.generate_key("P-256", {"alg": "ES256"})
    assert await refusal(service, issuer.bearer({"kid": None}, stranger)) is Refusal.TOKEN_INVALID


async def test_without_a_key_id_a_new_key_is_looked_for(issuer: OidcIssuer, start_looking: Start) -> None:
    service = await start_looking()
    await let_in(service, issuer.bearer({"kid": None}))
    issuer.add_key("second")
    await let_in(service, issuer.bearer({"kid": None}))


async def test_without_a_key_id_strangers_do_not_ask_the_issuer_often(
    issuer: OidcIssuer, service: Authenticator
) -> None:
    await let_in(service, issuer.bearer())
    stranger = ECKey.generate_key("P-256", {"alg": "ES256"})
    for number in range(20):
        await refusal(service, issuer.bearer({"kid": None}, stranger, sub=f"u-{number}"))
    assert issuer.requests["/jwks"] == 1


async def test_keys_of_one_id_are_all_tried(issuer: OidcIssuer, start: Start) -> None:
    keys: list[Key] = [ECKey.generate_key("P-256", {"kid": "same", "alg": "ES256"}) for _ in range(2)]
    keys.append(RSAKey.generate_key(2048, {"kid": "same"}))
    issuer.jwks_text = orjson.dumps({"keys": [key.as_dict(private=False) for key in keys]})
    service = await start()
    for key in keys:
        await let_in(service, issuer.bearer({"kid": "same", "alg": key.get("alg") or "RS256"}, key))


async def test_a_key_that_the_issuer_gives_no_id_fits_any(issuer: OidcIssuer, start: Start) -> None:
    key = issuer.keys["first"]
    public = key.as_dict(private=False)
    del public["kid"]
    issuer.jwks_text = orjson.dumps({"keys": [public]})
    service = await start()
    await let_in(service, issuer.bearer())
    await let_in(service, issuer.bearer({"kid": None}))


async def test_without_a_key_id_keys_for_something_else_do_not_count(issuer: OidcIssuer, start: Start) -> None:
    others: list[dict[str, Any]] = [
        {"kid": "a", "alg": "RS512"},
        {"kid": "b", "use": "enc"},
        {"kid": "c", "key_ops": ["sign"]},
    ]
    keys = [RSAKey.generate_key(2048).as_dict(private=False) | members for members in others]
    key = issuer.add_key("meant", RSAKey.generate_key(2048))
    issuer.jwks_text = orjson.dumps({"keys": [*keys, key.as_dict(private=False)]})
    await let_in(await start(), issuer.bearer({"alg": "RS256", "kid": None}))


async def test_without_a_key_id_the_issuer_is_not_asked_again(issuer: OidcIssuer, start_looking: Start) -> None:
    service = await start_looking()
    for user in ("u-1", "u-2", "u-3"):
        await let_in(service, issuer.bearer({"kid": None}, sub=user))
    assert issuer.requests["/jwks"] == 1


async def test_of_claims_that_stand_twice_the_last_counts(issuer: OidcIssuer, service: Authenticator) -> None:
    good = orjson.dumps(issuer.claims()).decode().removesuffix("}")
    for member, taken in ((f'"aud":"other","aud":"{AUDIENCE}"', True), (f'"aud":"{AUDIENCE}","aud":"other"', False)):
        key = issuer.keys["first"]
        token = serialize_compact({"alg": "ES256", "kid": "first"}, f"{good},{member}}}".encode(), key, ["ES256"])
        if taken:
            await let_in(service, f"Bearer {token}")
        else:
            assert await refusal(service, f"Bearer {token}") is Refusal.TOKEN_INVALID


async def test_claims_that_are_no_claims(issuer: OidcIssuer, service: Authenticator) -> None:
    key = issuer.keys["first"]
    for payload in (b"[]", b'"text"', b"null", b"1", b"", b"{", b'{"a":"\\ud800"}', b'{"exp":NaN}', b"[" * 9000):
        token = serialize_compact({"alg": "ES256", "kid": "first"}, payload, key, ["ES256"])
        assert await refusal(service, f"Bearer {token}") is Refusal.TOKEN_INVALID


def test_what_is_remembered_is_bounded() -> None:
    identity = Claims(Settings()).identity({"sub": "u", "active_tenant": {"tenant_id": "t"}})
    remembered = Remembered[Identity](max_characters=100)
    for name in ("a", "b", "a", "c"):
        remembered.put(name * 40, identity, 0, 100)
        remembered.get("a" * 40, 0)
    assert remembered.get("b" * 40, 0) is None
    assert remembered.get("a" * 40, 0) is remembered.get("c" * 40, 0) is identity
    remembered.put("d" * 101, identity, 0, 100)
    assert len(remembered) == 0
