"""What was put last, as much of it as a number and a number of bytes allow."""

from collections import OrderedDict
from typing import Generic, TypeVar

_V = TypeVar("_V")


class Bounded(Generic[_V]):
    """By the number that an id is: a UUID's own hash is a call of Python each time."""

    def __init__(self, max_number: int, max_bytes: int) -> None:
        self._max_number, self._room = max_number, max_bytes
        self._kept: OrderedDict[int, tuple[_V, int]] = OrderedDict()

    def put(self, key: int, value: _V, size: int) -> None:
        """As the newest; the oldest go, this one too where it is larger than all may be."""
        self.pop(key)
        self._kept[key] = value, size
        self._room -= size
        while self._kept and (self._room < 0 or len(self._kept) > self._max_number):
            self._room += self._kept.popitem(last=False)[1][1]

    def pop(self, key: int) -> _V | None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return None
        self._room += kept[1]
        return kept[0]

    def __contains__(self, key: int) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)
