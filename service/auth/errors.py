"""What can go wrong when somebody signs in, as types with facts; which HTTP status each has stands elsewhere."""

from enum import StrEnum

from domain.errors import Forbidden
from service.auth.challenge import INVALID_REQUEST, INVALID_TOKEN, NO_TOKEN


class Refusal(StrEnum):
    """Why a request is not let in; the codes are part of the API."""

    TOKEN_MISSING = "TOKEN_MISSING"  # noqa: S105
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105
    TENANT_MISSING = "TENANT_MISSING"


class Unauthenticated(Exception):
    """The request carries no token that can be trusted; the message is fit to be shown to the client.

    `error` is the error of RFC 6750 (3.1) that the answer's `WWW-Authenticate` names.
    """

    def __init__(self, code: Refusal, message: str, error: str = INVALID_TOKEN) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.error = error


class ScopeMissing(Exception):
    """The token is good, but lacks scopes that the deployment requires of every token."""

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__(f"The token lacks a scope that is required here: {', '.join(scopes)}.")
        self.scopes = scopes


class RoleMissing(Forbidden):
    """The token is good, but none of its roles allows this; the text names the settings that list those that do."""


class KeysUnreachable(Exception):
    """Nobody can be let in or refused for now: the issuer's keys are out of reach and none were read before."""


class LocalKeyUnusable(Exception):
    """The file of the local signing key cannot be made, read or understood; the text names it."""


class MintingRefused(Exception):
    """A token cannot be made as asked for; the text says why."""


def missing() -> Unauthenticated:
    return Unauthenticated(Refusal.TOKEN_MISSING, "The request carries no bearer token.", NO_TOKEN)


def malformed(message: str) -> Unauthenticated:
    """The Authorization header is not one of RFC 6750; whether its token is good was not looked at."""
    return Unauthenticated(Refusal.TOKEN_INVALID, message, INVALID_REQUEST)


def invalid(message: str) -> Unauthenticated:
    return Unauthenticated(Refusal.TOKEN_INVALID, message)
