"""What `WWW-Authenticate` says (RFC 6750, 3): which error it was and why, in the characters that may stand there."""

import re
from collections.abc import Sequence
from typing import Final

NO_TOKEN: Final = ""
INVALID_TOKEN: Final = "invalid_token"  # noqa: S105
INVALID_REQUEST: Final = "invalid_request"
INSUFFICIENT_SCOPE: Final = "insufficient_scope"
MAX_DESCRIPTION: Final = 200  # characters

_BARE: Final = "Bearer"
_OTHERS = re.compile(r"[^ !#-\[\]-~]")


def challenge(error: str, description: str, scopes: Sequence[str] = ()) -> str:
    """A request without a token is told no error, as the RFC has it."""
    if error == NO_TOKEN:
        return _BARE
    text = f'{_BARE} error="{error}", error_description="{_OTHERS.sub("?", description[:MAX_DESCRIPTION])}"'
    return f'{text}, scope="{" ".join(scopes)}"' if scopes else text
