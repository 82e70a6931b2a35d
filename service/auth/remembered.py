"""Tokens that were looked at a moment ago, so that a client's next requests cost a look-up and not a verification."""

from collections import OrderedDict
from typing import Generic, TypeVar

REMEMBER = 60.0  # seconds at most
MAX_CHARACTERS = 8 * 1024 * 1024  # of all remembered headers together

_V = TypeVar("_V")


class Remembered(Generic[_V]):
    """What was found out about headers. Bounded by the room that they take; the one not used for longest goes first."""

    def __init__(self, max_characters: int = MAX_CHARACTERS, seconds: float = REMEMBER) -> None:
        self._entries: OrderedDict[str, tuple[_V, float, float]] = OrderedDict()
        self._characters = 0
        self._max_characters, self._seconds = max_characters, seconds

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, authorization: str, now: float) -> _V | None:
        entry = self._entries.get(authorization)
        if entry is None:
            return None
        value, since, until = entry
        if not since <= now < until:  # a clock that was set back says nothing of how long ago that was
            self._drop(authorization)
            return None
        self._entries.move_to_end(authorization)
        return value

    def put(self, authorization: str, value: _V, now: float, expires: float) -> None:
        """Until it expires (Unix seconds), or for as long as things are remembered, whichever is sooner."""
        self._drop(authorization)
        self._entries[authorization] = (value, now, min(now + self._seconds, expires))
        self._characters += len(authorization)
        while self._characters > self._max_characters:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        self._entries.clear()
        self._characters = 0

    def _drop(self, authorization: str) -> None:
        if self._entries.pop(authorization, None) is not None:
            self._characters -= len(authorization)
