"""A token that was refused a moment ago is refused without another look; but at once taken when it may be."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from joserfc.jwk import ECKey
from joserfc.jws import validate_compact

from service.auth.errors import Refusal, Unauthenticated
from service.auth.remembered import REMEMBER, Remembered
from service.auth.token_rules import LEEWAY
from service.auth.tokens import MAX_REFUSED, REFUSED_SECONDS, Authenticator
from tests.auth.conftest import Start
from tests.auth.outcomes import let_in, refusal
from tests.auth.test_tokens import Clock, with_clock
from tests.servers.issuer import OidcIssuer


@contextmanager
def checked() -> Iterator[list[Any]]:
    """The tokens whose signature was checked meanwhile."""
    seen: list[Any] = []
    check = validate_compact

    def counting(token: Any, *rest: Any, **options: Any) -> bool:
        seen.append(token)
        return check(token, *rest, **options)

    with patch("service.auth.tokens.validate_compact", counting):
        yield seen


def spoilt(bearer: str) -> str:
    """With another signature."""
    head, _, signature = bearer.rpartition(".")
    return f"{head}.{'A' * len(signature)}"


@pytest.mark.parametrize("what", ["signature", "expired", "audience", "tenant"])
async def test_a_refused_token_that_comes_again_costs_no_check(issuer: OidcIssuer, what: str) -> None:
    clock = Clock()
    service = with_clock(issuer, clock)
    token = {
        "signature": spoilt(issuer.bearer()),
        "expired": issuer.bearer(exp=int(clock.now) - LEEWAY - 1),
        "audience": issuer.bearer(aud="another"),
        "tenant": issuer.bearer(active_tenant={}),
    }[what]
    with checked() as seen:
        codes = {await refusal(service, token) for _ in range(5)}
        assert (len(seen), len(codes)) == (1, 1)
        clock.now += REFUSED_SECONDS
        assert {await refusal(service, token)} == codes
        assert len(seen) == 2


async def test_the_answer_is_the_same_each_time(issuer: OidcIssuer, service: Authenticator) -> None:
    for token in (issuer.bearer(exp=1), spoilt(issuer.bearer()), "Bearer x", "Basic x", issuer.bearer(sub="")):
        said = set()
        for _ in range(3):
            with pytest.raises(Unauthenticated) as refused:
                await service.authenticate(token)
            said.add((refused.value.code, refused.value.message))
        assert len(said) == 1


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize("seconds", [1, 3, 3.5])
async def test_a_token_that_is_too_new_is_taken_at_the_very_second(
    issuer: OidcIssuer, claim: str, seconds: float
) -> None:
    clock = Clock()
    clock.now = float(int(clock.now))
    service = with_clock(issuer, clock)
    claims: dict[str, Any] = {claim: clock.now + LEEWAY + seconds}
    token = issuer.bearer(**claims)
    assert await refusal(service, token) is Refusal.TOKEN_INVALID
    clock.now += seconds - 0.1
    assert await refusal(service, token) is Refusal.TOKEN_INVALID
    clock.now += 1.1  # the library counts whole seconds
    await let_in(service, token)


async def test_a_token_whose_key_appears_is_taken_at_once(issuer: OidcIssuer, start_looking: Start) -> None:
    service = await start_looking()
    await let_in(service, issuer.bearer())
    key = issuer.add_key("later")
    token = issuer.bearer()
    issuer.keys.pop("later")
    assert await refusal(service, token) is Refusal.TOKEN_INVALID
    issuer.add_key("later", key)
    await let_in(service, token)


async def test_what_was_refused_with_other_keys_is_looked_at_again(issuer: OidcIssuer, start_looking: Start) -> None:
    """Another key under the same id: that it is there shows when somebody else's token makes the service look."""
    service = await start_looking()
    await let_in(service, issuer.bearer())
    key = ECKey.generate_key("P-256", {"kid": "first", "use": "sig", "alg": "ES256"})
    token = issuer.bearer(key=key)
    assert await refusal(service, token) is Refusal.TOKEN_INVALID
    issuer.add_key("first", key)
    issuer.add_key("second")
    await let_in(service, issuer.bearer())
    await let_in(service, token)


async def test_a_clock_that_is_set_back_makes_an_expired_token_good_again(issuer: OidcIssuer) -> None:
    clock = Clock()
    service = with_clock(issuer, clock)
    token = issuer.bearer(exp=int(clock.now) + 30)
    clock.now += 3600
    assert await refusal(service, token) is Refusal.TOKEN_EXPIRED
    clock.now -= 3600
    await let_in(service, token)


def test_a_clock_that_is_set_back_keeps_nothing_in_memory_for_longer() -> None:
    remembered = Remembered[str]()
    remembered.put("Bearer a", "a", 10_000, 20_000)
    assert remembered.get("Bearer a", 10_000 + REMEMBER - 1) == "a"
    assert remembered.get("Bearer a", 9_999) is None


async def test_what_is_remembered_of_refused_tokens_is_bounded(issuer: OidcIssuer, service: Authenticator) -> None:
    first = spoilt(issuer.bearer())
    await refusal(service, first)
    for number in range(MAX_REFUSED // 10_000 + 1):
        await refusal(service, f"Bearer {number}{'x' * 10_000}")
    with checked() as seen:
        await refusal(service, first)
    assert len(seen) == 1
