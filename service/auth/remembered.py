"""Tokens that were verified a moment ago, so that a client's next requests cost a look-up and not a verification."""

from collections import OrderedDict

from service.auth.identity import Identity

REMEMBER = 60.0  # seconds at most
MAX_CHARACTERS = 8 * 1024 * 1024  # of all remembered headers together


class Remembered:
    """Bounded by the room that the headers take; the one not used for longest goes first."""

    def __init__(self, max_characters: int = MAX_CHARACTERS) -> None:
        self._entries: OrderedDict[str, tuple[Identity, float]] = OrderedDict()
        self._characters = 0
        self._max_characters = max_characters

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, authorization: str, now: float) -> Identity | None:
        entry = self._entries.get(authorization)
        if entry is None:
            return None
        identity, until = entry
        if until <= now:
            self._drop(authorization)
            return None
        self._entries.move_to_end(authorization)
        return identity

    def put(self, authorization: str, identity: Identity, now: float, expires: float) -> None:
        """Until the token expires (Unix seconds), or for REMEMBER seconds, whichever is sooner."""
        self._drop(authorization)
        self._entries[authorization] = (identity, min(now + REMEMBER, expires))
        self._characters += len(authorization)
        while self._characters > self._max_characters:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        self._entries.clear()
        self._characters = 0

    def _drop(self, authorization: str) -> None:
        if self._entries.pop(authorization, None) is not None:
            self._characters -= len(authorization)
