"""What was used last, as much of it as a number of bytes holds."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

ENTRY_BYTES: Final = 400
"""What keeping one thing takes beside its bytes."""

K = TypeVar("K")
V = TypeVar("V")


class Shelf(Generic[K, V]):
    def __init__(self, room: int) -> None:
        """`room` in bytes."""
        self._room = room
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        return kept[0]

    def put(self, key: K, value: V, size: int) -> None:
        """`size` in bytes, of all that the value holds."""
        self.drop(key)
        self._kept[key] = value, size + ENTRY_BYTES
        self._room -= size + ENTRY_BYTES
        while self._room < 0:
            self.drop(next(iter(self._kept)))

    def drop(self, key: K) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._room += kept[1]

    def clear(self) -> None:
        for key in list(self._kept):
            self.drop(key)
