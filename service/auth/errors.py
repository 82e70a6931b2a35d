"""What can go wrong when somebody signs in, as types with facts; which HTTP status each has stands elsewhere."""

from enum import StrEnum


class Refusal(StrEnum):
    """Why a request is not let in; the codes are part of the API."""

    TOKEN_MISSING = "TOKEN_MISSING"  # noqa: S105
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105
    TENANT_MISSING = "TENANT_MISSING"


class Unauthenticated(Exception):
    """The request carries no token that can be trusted; the message is fit to be shown to the client."""

    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class KeysUnreachable(Exception):
    """Nobody can be let in or refused for now: the issuer's keys are out of reach and none were read before."""


class LocalKeyUnusable(Exception):
    """The file of the local signing key cannot be made, read or understood; the text names it."""


class MintingRefused(Exception):
    """A token cannot be made as asked for; the text says why."""


def invalid(message: str) -> Unauthenticated:
    return Unauthenticated(Refusal.TOKEN_INVALID, message)
