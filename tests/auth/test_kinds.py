"""Access tokens alone are taken: ID tokens, refresh tokens and their like are refused where it can be told."""

from typing import Any

import pytest

from service.auth.errors import Refusal, ScopeMissing
from service.auth.tokens import Authenticator
from tests.auth.conftest import Start
from tests.auth.outcomes import let_in, refusal
from tests.servers.issuer import AUDIENCE, OidcIssuer

KIND: dict[str, Any] = {"typ": None}
"""The test issuer says `Bearer` where nothing else is said."""
OTHER_KINDS: list[dict[str, Any]] = [
    {"token_use": "id"}, {"token_use": "ID"}, {"token_use": 1}, {"token_use": "access", "typ": "ID"},
    {"token_type": "refresh"}, {"token_type": "id_token"}, {"s_hash": "x"}, {"nonce": "x"},
    {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, {"events": {}, "typ": "Bearer"},
    {"typ": "Bearer", "token_use": "id"}, {"typ": "Serialized-ID"},
]  # fmt: skip
OTHER_HEADERS = (
    "secevent+jwt", "dpop+jwt", "logout+jwt", "application/secevent+jwt", "refresh+jwt", "JOSE"
)  # fmt: skip
SCOPES: list[dict[str, Any]] = [
    {"scope": "openid incidents"}, {"scope": ["incidents", "openid", "x"]}, {"scp": "incidents openid"},
    {"scp": ["openid", "incidents"]}, {"scope": "openid", "scp": ["incidents"]},
]  # fmt: skip
OTHER_SCOPES: tuple[Any, ...] = (
    "openid", "", "incidents.read", "Incidents", "incidents,openid", [], ["incidents x"], 5, {"incidents": 1},
)  # fmt: skip
OTHER_CLIENTS: list[dict[str, Any]] = [
    {"client_id": "other"}, {"client_id": [AUDIENCE]}, {"client_id": 5}, {"cid": AUDIENCE},
]  # fmt: skip
OTHER_AUDIENCES: list[Any] = ["other", ["other"], [], "", 5, [5], {}, [""]]
NO_AUDIENCES: list[Any] = [[], "", 5, [AUDIENCE, 5], {AUDIENCE: True}, [None]]


async def test_a_token_of_another_kind(issuer: OidcIssuer, service: Authenticator) -> None:
    for claims in OTHER_KINDS:
        assert await refusal(service, issuer.bearer(**(KIND | claims))) is Refusal.TOKEN_INVALID, claims
    for typ in OTHER_HEADERS:
        assert await refusal(service, issuer.bearer({"typ": typ})) is Refusal.TOKEN_INVALID, typ


async def test_an_access_token_that_says_so(issuer: OidcIssuer, service: Authenticator) -> None:
    for name, value in (("token_use", "access"), ("token_type", "Bearer"), ("other", "x")):
        await let_in(service, issuer.bearer(**(KIND | {name: value})))
    await let_in(service, issuer.bearer(**KIND, token_use="access", nonce="x"))
    for typ in ("at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT", "JWT"):
        await let_in(service, issuer.bearer({"typ": typ}, **KIND))


async def test_where_the_header_must_say_so(issuer: OidcIssuer, start: Start) -> None:
    service = await start(oidc_require_at_jwt=True)
    for typ in ("at+jwt", "AT+JWT", "application/at+jwt"):
        await let_in(service, issuer.bearer({"typ": typ}))
    for other in ("JWT", "", None):
        assert await refusal(service, issuer.bearer({"typ": other})) is Refusal.TOKEN_INVALID


class TestScopes:
    async def test_a_token_with_all_that_are_required(self, issuer: OidcIssuer, start: Start) -> None:
        service = await start(oidc_required_scopes="incidents, openid")
        for claims in SCOPES:
            await let_in(service, issuer.bearer(**claims))

    async def test_a_token_without_any_is_no_access_token(self, issuer: OidcIssuer, start: Start) -> None:
        service = await start(oidc_required_scopes="incidents")
        assert await refusal(service, issuer.bearer(**KIND)) is Refusal.TOKEN_INVALID

    async def test_a_token_with_others_alone(self, issuer: OidcIssuer, start: Start) -> None:
        service = await start(oidc_required_scopes="incidents")
        for scope in OTHER_SCOPES:
            token = issuer.bearer(scope=scope)
            for _ in range(2):
                with pytest.raises(ScopeMissing):
                    await service.authenticate(token)
            assert service.remembered(token) is None


class TestClientId:
    async def test_it_counts_where_there_is_no_audience(self, issuer: OidcIssuer, service: Authenticator) -> None:
        await let_in(service, issuer.bearer(aud=None, client_id=AUDIENCE, token_use="access"))
        for claims in OTHER_CLIENTS:
            assert await refusal(service, issuer.bearer(aud=None, **claims)) is Refusal.TOKEN_INVALID, claims

    async def test_it_counts_nothing_beside_another_audience(self, issuer: OidcIssuer, service: Authenticator) -> None:
        for aud in OTHER_AUDIENCES:
            token = issuer.bearer(aud=aud, client_id=AUDIENCE)
            assert await refusal(service, token) is Refusal.TOKEN_INVALID, aud

    async def test_an_audience_that_is_none_is_refused_whatever_else_is_there(
        self, issuer: OidcIssuer, service: Authenticator, start: Start
    ) -> None:
        any_audience = await start(oidc_audience="*")
        for aud in NO_AUDIENCES:
            token = issuer.bearer(aud=aud, azp=AUDIENCE)
            assert await refusal(service, token) is Refusal.TOKEN_INVALID, aud
            assert await refusal(any_audience, token) is Refusal.TOKEN_INVALID, aud

    async def test_several_audiences_may_be_taken(self, issuer: OidcIssuer, start: Start) -> None:
        service = await start(oidc_audience="one, two")
        await let_in(service, issuer.bearer(aud="one"))
        await let_in(service, issuer.bearer(aud=["x", "two"]))
        assert await refusal(service, issuer.bearer(aud="one, two")) is Refusal.TOKEN_INVALID
