"""A password in the URL of an issuer, of its keys or of a collector: refused by name, or never shown."""

from pathlib import Path

import pytest

from service.auth.key_sources import Issuer
from service.auth.sign_in import authenticator
from service.settings import InvalidSettings, load_settings
from tests.servers.issuer import OidcIssuer

SECRET = "hunter2"
FORMS = (
    "u:hunter2",
    "hunter2",
    ":hunter2",
    "u:hun/hunter2",
    "u:hun#hunter2",
    "u:hun?hunter2",
    "u:[hunter2",
    "u:%2Fhunter2",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("variable", ["oidc_issuer", "oidc_jwks_url"])
def test_an_issuer_with_a_password_is_refused_and_the_password_not_shown(
    variable: str, form: str, tmp_path: Path
) -> None:
    for ending in ("", "/common/v2.0", "/{tenant}?x=1"):
        urls = {"oidc_issuer": "https://login.example", variable: f"https://{form}@login.example{ending}"}
        with pytest.raises(InvalidSettings) as refused:
            authenticator(load_settings(**urls, oidc_audience="ims", data_dir=tmp_path))
        assert str(refused.value).startswith(f"IMS_{variable.upper()}: holds a user or a password")
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize("form", ["u:hun/hunter2", "u:hun#hunter2", "u:hun?hunter2", "u:[hunter2", "u:hun@hunter2"])
def test_a_collector_that_cannot_be_taken_apart_is_refused_and_not_shown(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{form}@collector:4318")
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    assert str(refused.value).startswith("OTEL_EXPORTER_OTLP_ENDPOINT: ")
    assert SECRET not in str(refused.value)


async def test_the_query_of_an_address_of_keys_is_not_shown_when_they_cannot_be_had() -> None:
    async with OidcIssuer() as issuer:
        for url in (f"{issuer.url}/nowhere?key={SECRET}", f"{issuer.url}/nowhere#{SECRET}", f"http://[{SECRET}/jwks"):
            source = Issuer(issuer.url, url)
            await source.start()
            await source.look_again()
            assert source.error
            assert SECRET not in source.error
            await source.stop()


async def test_a_discovery_document_whose_keys_have_a_password_is_refused_and_the_password_not_shown() -> None:
    async with OidcIssuer() as issuer:
        issuer.discovery["jwks_uri"] = f"http://u:{SECRET}@{issuer.url.removeprefix('http://')}/jwks"
        source = Issuer(issuer.url)
        await source.start()
        await source.look_again()
        assert source.error == "the discovery document's jwks_uri holds a user or a password"
        await source.stop()
