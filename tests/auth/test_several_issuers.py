"""Several providers at once: each with keys of its own, none standing in for another."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.auth.errors import KeysUnreachable, Refusal
from service.settings import InvalidSettings
from tests.auth.conftest import Start
from tests.auth.outcomes import let_in, refusal
from tests.servers.issuer import AUDIENCE, OidcIssuer


@pytest.fixture
async def other() -> AsyncIterator[OidcIssuer]:
    async with OidcIssuer() as other:
        yield other


async def test_users_of_each_come_in_and_are_told_apart(issuer: OidcIssuer, other: OidcIssuer, start: Start) -> None:
    service = await start(oidc_issuer=f"{issuer.url}, {other.url}", oidc_audience=f"{AUDIENCE},theirs")
    assert (await let_in(service, issuer.bearer())).user_id == "u-1"
    assert (await let_in(service, other.bearer(aud="theirs"))).user_id == f"{other.url}|u-1"
    assert service.status() == {"source": f"{issuer.url}, {other.url}", "keys": 2, "error": None}


async def test_a_key_of_one_makes_no_tokens_of_the_other(issuer: OidcIssuer, other: OidcIssuer, start: Start) -> None:
    service = await start(oidc_issuer=f"{issuer.url},{other.url}")
    other.add_key("second")
    for kid in ("first", "second", None):
        header = {"kid": kid}
        assert await refusal(service, other.bearer(header, iss=issuer.url)) is Refusal.TOKEN_INVALID
        assert await refusal(service, issuer.bearer(header, iss=other.url)) is Refusal.TOKEN_INVALID
    async with OidcIssuer() as stranger:
        assert await refusal(service, stranger.bearer()) is Refusal.TOKEN_INVALID


async def test_one_that_is_away_does_not_stop_the_other(issuer: OidcIssuer, other: OidcIssuer, start: Start) -> None:
    issuer.up = False
    service = await start(oidc_issuer=f"{issuer.url},{other.url}")
    await let_in(service, other.bearer())
    with pytest.raises(KeysUnreachable):
        await service.authenticate(issuer.bearer())
    async with OidcIssuer() as stranger:
        assert await refusal(service, stranger.bearer()) is Refusal.TOKEN_INVALID
    error = str(service.status()["error"])
    assert error.startswith(f"{issuer.url}: ")
    assert other.url not in error


async def test_each_may_have_its_keys_elsewhere(issuer: OidcIssuer, other: OidcIssuer, start: Start) -> None:
    names = ("https://a.example/", "https://b.example")
    service = await start(oidc_issuer=names, oidc_jwks_url=(f"{issuer.url}/jwks", f"{other.url}/jwks"))
    await let_in(service, issuer.bearer(iss=names[0]))
    await let_in(service, other.bearer(iss=names[1]))
    assert await refusal(service, issuer.bearer(iss=names[1])) is Refusal.TOKEN_INVALID
    assert await refusal(service, issuer.bearer(iss="https://a.example")) is Refusal.TOKEN_INVALID


async def test_a_discovery_document_of_an_issuer_with_a_slash_says_so(issuer: OidcIssuer, start: Start) -> None:
    service = await start(oidc_issuer=f"{issuer.url}/")
    with pytest.raises(KeysUnreachable, match=f"of the issuer '{issuer.url}', to the letter"):
        await service.authenticate(issuer.bearer(iss=f"{issuer.url}/"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"oidc_issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}, "many issuers"),
        ({"oidc_issuer": "https://login.microsoftonline.com/common/v2.0"}, "many issuers"),
        ({"oidc_issuer": "https://login.microsoftonline.us/organizations/v2.0"}, "many issuers"),
        ({"oidc_issuer": "https://a.example,https://a.example"}, "twice"),
        ({"oidc_issuer": "https://a.example,b.example"}, "begin with https"),
        ({"oidc_issuer": "https://a.example?x=1"}, "is not an issuer"),
        ({"oidc_issuer": "https://a.example|b"}, "is not an issuer"),
        ({"oidc_issuer": "https://a.example,https://b.example", "oidc_jwks_url": "https://a.example/k"}, "1 addresses"),
        ({"oidc_issuer": "https://a.example", "oidc_jwks_url": "https://x/a,https://x/b"}, "2 addresses for 1"),
        ({"oidc_issuer": "https://a.example", "oidc_jwks_url": "ftp://x"}, "IMS_OIDC_JWKS_URL: begin"),
    ],
    ids=str,
)
async def test_issuers_that_are_none_are_refused_at_the_start(
    start: Start, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidSettings, match=rf"IMS_OIDC_(ISSUER|JWKS_URL): .*{told}|{told}"):
        await start(**settings)
