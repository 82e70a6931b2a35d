"""Where a claim stands in a token: names with dots between, `\\.` for a dot that belongs to a name."""

import re
from collections.abc import Mapping
from typing import Any, Final

_NAME: Final = r"(?:[^.\\]|\\[.\\])+"
_PATH: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


class ClaimPath:
    """`resource_access.my\\.client.roles` leads through the claim `resource_access` and its member `my.client`."""

    __slots__ = ("names", "text")

    def __init__(self, text: str) -> None:
        """Raises ValueError with what would have been right."""
        if not _PATH.fullmatch(text):
            raise ValueError(r"write names with dots between, and \. or \\ for a dot or a backslash within a name")
        self.text = text
        self.names = tuple(_ESCAPED.sub(r"\1", name) for name in re.findall(_NAME, text))

    def find(self, claims: Mapping[str, Any]) -> Any:
        """None where there is nothing. A claim whose whole name is the setting's text (a URL, say) comes first."""
        if self.text in claims:
            return claims[self.text]
        value: Any = claims
        for name in self.names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def __str__(self) -> str:
        return self.text
