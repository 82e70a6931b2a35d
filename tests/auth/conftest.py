"""A provider, and services that trust it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from service.auth.identity import Claims
from service.auth.key_sources import Issuer
from service.auth.sign_in import authenticator
from service.auth.token_rules import TokenRules
from service.auth.tokens import Authenticator, TrustedIssuer
from service.settings import Settings
from tests.servers.issuer import AUDIENCE, OidcIssuer

Start = Callable[..., Awaitable[Authenticator]]


@pytest.fixture
async def issuer() -> AsyncIterator[OidcIssuer]:
    async with OidcIssuer() as issuer:
        yield issuer


@pytest.fixture
async def service(issuer: OidcIssuer, tmp_path: Path) -> AsyncIterator[Authenticator]:
    settings = Settings(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, data_dir=tmp_path)
    async with authenticator(settings) as service:
        yield service


@pytest.fixture
async def start(issuer: OidcIssuer, tmp_path: Path) -> AsyncIterator[Start]:
    """`await start(tenant_claim="org")` starts a service with these settings."""
    async with contextlib.AsyncExitStack() as services:

        async def start(**settings: Any) -> Authenticator:
            chosen: dict[str, Any] = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "data_dir": tmp_path}
            return await services.enter_async_context(authenticator(Settings(**(chosen | settings))))

        yield start


@pytest.fixture
async def start_looking(issuer: OidcIssuer) -> AsyncIterator[Start]:
    """`await start_looking(refresh=…, gap=…, retry=…)` starts a service that looks for keys as often as told."""
    async with contextlib.AsyncExitStack() as services:

        async def start_looking(refresh: float = 60, gap: float = 0, retry: float = 60) -> Authenticator:
            source = Issuer(issuer.url, refresh=refresh, gap=gap, retry=retry)
            settings = Settings(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
            return await services.enter_async_context(
                Authenticator([TrustedIssuer(issuer.url, source)], Claims(settings), TokenRules((AUDIENCE,)))
            )

        yield start_looking
