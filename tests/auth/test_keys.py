"""Where keys come from, how they are renewed, and what holds while they cannot be."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from service.auth.errors import KeysUnreachable, Refusal
from service.auth.identity import Claims
from service.auth.key_ring import KeyRing
from service.auth.key_sources import MAX_DOCUMENT, KeyFile
from service.auth.token_rules import TokenRules
from service.auth.tokens import Authenticator, TrustedIssuer
from service.settings import InvalidSettings, Settings
from tests.auth.conftest import Start
from tests.auth.outcomes import PATIENT, let_in, refusal
from tests.servers.issuer import OidcIssuer, signed

JWKS = "/jwks"
DISCOVERY = "/.well-known/openid-configuration"


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


class TestRotation:
    async def test_a_new_key_is_picked_up_with_its_first_token(self, issuer: OidcIssuer, start_looking: Start) -> None:
        service = await start_looking()
        old = issuer.bearer()
        await let_in(service, old)
        issuer.add_key("second")
        await let_in(service, issuer.bearer())
        await let_in(service, old)

    async def test_a_token_of_a_removed_key_is_forgotten(self, issuer: OidcIssuer, start_looking: Start) -> None:
        service = await start_looking()
        old = issuer.bearer()
        await let_in(service, old)
        issuer.add_key("second")
        del issuer.keys["first"]
        await let_in(service, issuer.bearer())
        assert service.remembered(old) is None
        assert await refusal(service, old) is Refusal.TOKEN_INVALID

    async def test_a_removed_key_is_noticed_without_a_request(self, issuer: OidcIssuer, start_looking: Start) -> None:
        service = await start_looking(refresh=0.05)
        old = issuer.bearer()
        await let_in(service, old)
        issuer.add_key("second")
        del issuer.keys["first"]
        await eventually(lambda: service.remembered(old) is None)
        assert await refusal(service, old) is Refusal.TOKEN_INVALID

    async def test_another_key_under_the_same_id(self, issuer: OidcIssuer, start_looking: Start) -> None:
        service = await start_looking(refresh=0.05)
        old = issuer.bearer()
        await let_in(service, old)
        issuer.add_key("first")
        await eventually(lambda: service.remembered(old) is None)
        assert await refusal(service, old) is Refusal.TOKEN_INVALID
        await let_in(service, issuer.bearer())

    async def test_the_same_keys_in_another_order_forget_nothing(
        self, issuer: OidcIssuer, start_looking: Start
    ) -> None:
        issuer.add_key("second")
        service = await start_looking(refresh=0.02)
        token = issuer.bearer()
        await let_in(service, token)
        issuer.add_key("first", issuer.keys["first"])
        asked = issuer.requests[JWKS]
        await eventually(lambda: issuer.requests[JWKS] > asked + 1)
        assert service.remembered(token) is not None

    async def test_an_issuer_without_keys_lets_nobody_in(self, issuer: OidcIssuer, start_looking: Start) -> None:
        service = await start_looking(refresh=0.05)
        token = issuer.bearer()
        await let_in(service, token)
        issuer.jwks_text = b'{"keys": []}'
        await eventually(lambda: service.remembered(token) is None)
        assert await refusal(service, token) is Refusal.TOKEN_INVALID


class TestUnknownKeys:
    async def test_an_unknown_key(self, issuer: OidcIssuer, service: Authenticator) -> None:
        stranger = ECKey.generate_key("P-256", {"kid": "stranger", "alg": "ES256"})
        assert await refusal(service, issuer.bearer({"kid": "stranger"}, stranger)) is Refusal.TOKEN_INVALID
        assert await refusal(service, issuer.bearer({"kid": "stranger"})) is Refusal.TOKEN_INVALID

    async def test_many_unknown_keys_ask_the_issuer_no_more_often(
        self, issuer: OidcIssuer, service: Authenticator
    ) -> None:
        await let_in(service, issuer.bearer())
        for number in range(50):
            assert await refusal(service, issuer.bearer({"kid": f"k{number}"})) is Refusal.TOKEN_INVALID
        assert issuer.requests[JWKS] == 1

    async def test_requests_at_once_share_one_look(self, issuer: OidcIssuer, start_looking: Start) -> None:
        service = await start_looking()
        await let_in(service, issuer.bearer())
        issuer.add_key("second")
        token = issuer.bearer()
        await asyncio.gather(*(service.authenticate(token) for _ in range(50)))
        assert issuer.requests[JWKS] == 2

    async def test_a_client_that_leaves_does_not_stop_the_look(self, issuer: OidcIssuer, start_looking: Start) -> None:
        service = await start_looking()
        leaving = asyncio.create_task(service.authenticate(issuer.bearer()))
        staying = asyncio.create_task(service.authenticate(issuer.bearer()))
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).user_id == "u-1"


class TestAnIssuerThatIsAway:
    async def test_with_keys_it_is_not_missed(self, issuer: OidcIssuer, start_looking: Start) -> None:
        service = await start_looking(refresh=0.02, retry=0.02)
        remembered = issuer.bearer()
        await let_in(service, remembered)
        issuer.up = False
        await eventually(lambda: service.status()["error"] is not None)
        await let_in(service, remembered)
        await let_in(service, issuer.bearer(sub="u-2"))
        assert await refusal(service, issuer.bearer({"kid": "other"})) is Refusal.TOKEN_INVALID

    async def test_without_keys_nobody_can_tell_who_it_is(self, issuer: OidcIssuer, service: Authenticator) -> None:
        issuer.up = False
        for _ in range(10):
            with pytest.raises(KeysUnreachable):
                await service.authenticate(issuer.bearer())
        assert issuer.requests[DISCOVERY] <= 2  # aiohttp itself repeats a GET whose connection was cut
        assert await refusal(service, "Bearer x") is Refusal.TOKEN_INVALID
        assert await refusal(service, None) is Refusal.TOKEN_MISSING

    async def test_it_comes_back(self, issuer: OidcIssuer, start_looking: Start) -> None:
        issuer.up = False
        service = await start_looking(gap=60, retry=0.02)
        with pytest.raises(KeysUnreachable):
            await service.authenticate(issuer.bearer())
        issuer.up = True
        await eventually(lambda: service.status()["error"] is None)
        await let_in(service, issuer.bearer())

    @pytest.mark.parametrize(
        "document",
        [b"", b"[]", b"{", b'{"keys": {}}', b'{"keys": [' + b"{}," * 200 + b"{}]}", b" " * (MAX_DOCUMENT + 1)],
        ids=["empty", "list", "cut", "no list", "too many", "too long"],
    )
    async def test_an_answer_that_is_no_key_set(
        self, issuer: OidcIssuer, start_looking: Start, document: bytes
    ) -> None:
        service = await start_looking(refresh=0.02, retry=0.02)
        await let_in(service, issuer.bearer())
        issuer.jwks_text = document
        await eventually(lambda: service.status()["error"] is not None)
        await let_in(service, issuer.bearer(sub="u-2"))

    @pytest.mark.parametrize(
        "members", [{"issuer": "https://elsewhere.example"}, {"jwks_uri": None}, {"jwks_uri": "file:///etc/passwd"}]
    )
    async def test_a_discovery_document_that_does_not_fit(
        self, issuer: OidcIssuer, service: Authenticator, members: dict[str, Any]
    ) -> None:
        issuer.discovery |= members
        with pytest.raises(KeysUnreachable):
            await service.authenticate(issuer.bearer())
        assert issuer.requests[JWKS] == 0


async def test_an_address_of_the_keys_that_is_set_needs_no_discovery(start: Start, issuer: OidcIssuer) -> None:
    outside = "https://outside.example/realms/acme"
    service = await start(oidc_issuer=outside, oidc_jwks_url=f"{issuer.url}/jwks")
    await let_in(service, issuer.bearer(iss=outside))
    assert issuer.requests[DISCOVERY] == 0


def reading(file: Path) -> Authenticator:
    return Authenticator([TrustedIssuer(None, KeyFile(file, refresh=0.02))], Claims(Settings()), TokenRules(()))


class TestAFileOfKeys:
    @pytest.fixture
    def file(self, tmp_path: Path, issuer: OidcIssuer) -> Path:
        path = tmp_path / "jwks.json"
        path.write_bytes(issuer.jwks())
        return path

    async def test_its_keys_are_taken(self, issuer: OidcIssuer, start: Start, file: Path) -> None:
        service = await start(oidc_issuer="", oidc_audience="", jwks_file=file)
        await let_in(service, issuer.bearer(iss="https://any.example", aud="any"))

    async def test_the_audience_is_checked_where_it_is_set(self, issuer: OidcIssuer, start: Start, file: Path) -> None:
        service = await start(oidc_issuer="", jwks_file=file)
        await let_in(service, issuer.bearer())
        assert await refusal(service, issuer.bearer(aud="another")) is Refusal.TOKEN_INVALID

    async def test_it_is_read_again_when_it_changes(self, issuer: OidcIssuer, file: Path) -> None:
        async with reading(file) as service:
            old = issuer.bearer()
            await let_in(service, old)
            issuer.add_key("second")
            del issuer.keys["first"]
            draft = file.with_suffix(".new")
            draft.write_bytes(issuer.jwks())
            draft.replace(file)
            await eventually(lambda: service.remembered(old) is None)
            await let_in(service, issuer.bearer())
            assert await refusal(service, old) is Refusal.TOKEN_INVALID

    async def test_its_keys_are_kept_while_it_is_broken(self, issuer: OidcIssuer, file: Path) -> None:
        async with reading(file) as service:
            file.write_bytes(issuer.jwks()[:100])
            await eventually(lambda: service.status()["error"] is not None)
            await let_in(service, issuer.bearer())
            file.unlink()
            await let_in(service, issuer.bearer(sub="u-2"))
            issuer.add_key("second")
            file.write_bytes(issuer.jwks())
            await eventually(lambda: service.status()["error"] is None)
            await let_in(service, issuer.bearer())

    async def test_its_private_and_symmetric_parts_are_not_used(self, tmp_path: Path, start: Start) -> None:
        key = ECKey.generate_key("P-256", {"kid": "k", "alg": "ES256"})
        file = tmp_path / "private.json"
        file.write_bytes(
            orjson.dumps({"keys": [key.as_dict(private=True), {"kty": "oct", "kid": "s", "k": "c2VjcmV0"}]})
        )
        service = await start(oidc_issuer="", oidc_audience="*", jwks_file=file)
        assert service.status()["keys"] == 1
        claims = {"sub": "u", "exp": 9999999999, "active_tenant": {"tenant_id": "t"}}
        await let_in(service, f"Bearer {signed(key, claims, {'alg': 'ES256', 'kid': 'k'})}")

    @pytest.mark.parametrize("content", [None, b"", b"no json", b"{}"])
    async def test_without_a_file_that_can_be_used_there_is_no_start(
        self, start: Start, tmp_path: Path, content: bytes | None
    ) -> None:
        file = tmp_path / "other.json"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(InvalidSettings, match="IMS_JWKS_FILE"):
            await start(oidc_issuer="", jwks_file=file)


async def test_an_issuer_that_is_no_address(start: Start) -> None:
    with pytest.raises(InvalidSettings, match="IMS_OIDC_ISSUER"):
        await start(oidc_issuer="auth.example")


MEMBERS = st.sampled_from(["kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e"])
VALUES = st.one_of(
    st.none(), st.integers(), st.text(), st.lists(st.text()),
    st.sampled_from(["RSA", "EC", "OKP", "oct", "sig", "P-256", "Ed25519", "AQAB", "A" * 43, "A" * 342]),
    st.sampled_from([["verify"], ["sig"]]),
)  # fmt: skip


@PATIENT
@given(st.lists(st.dictionaries(MEMBERS, VALUES) | VALUES))
def test_any_list_is_a_key_set(entries: list[object]) -> None:
    with contextlib.suppress(orjson.JSONEncodeError):
        KeyRing.read(orjson.dumps({"keys": entries}))


@PATIENT
@given(st.binary(max_size=200))
def test_any_other_text_is_a_value_error(text: bytes) -> None:
    with contextlib.suppress(ValueError):
        KeyRing.read(text)


def test_a_file_is_not_parsed_again_while_it_stays_the_same(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    key = ECKey.generate_key("P-256")
    file.write_bytes(orjson.dumps({"keys": [key.as_dict(private=False)]}))
    keys = KeyFile(file)
    assert asyncio.run(keys.fetch()) is keys.ring
    os.utime(file, ns=(0, 0))
    again = asyncio.run(keys.fetch())
    assert again is not keys.ring
    assert again == keys.ring
