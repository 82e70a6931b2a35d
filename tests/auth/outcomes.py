"""What comes of an Authorization header, in a word."""

import pytest
from hypothesis import HealthCheck, settings

from service.auth.errors import Refusal, Unauthenticated
from service.auth.identity import Identity
from service.auth.tokens import Authenticator

# Making the first texts takes hypothesis seconds on a busy machine; that says nothing of what is tested.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


async def refusal(service: Authenticator, authorization: str | None) -> Refusal:
    """The code it is refused with; it is refused again when it comes again."""
    with pytest.raises(Unauthenticated) as first:
        await service.authenticate(authorization)
    with pytest.raises(Unauthenticated):
        await service.authenticate(authorization)
    assert service.remembered(authorization) is None
    return first.value.code


async def let_in(service: Authenticator, authorization: str) -> Identity:
    """Who it is; and it is remembered."""
    identity = await service.authenticate(authorization)
    assert service.remembered(authorization) == identity
    return identity
