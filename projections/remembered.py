"""Incidents that changed lately, in memory, so that whoever fills tables need not read what it wrote a moment ago."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from projections.database import Json
from projections.versions import Newest, Row


class Remembered:
    """All of the last batch, and of those before it as many as `room` bytes of documents hold, which are taken apart
    again when they are wanted. By the numbers of their ids."""

    def __init__(self, json: Json, room: int) -> None:
        self._json, self._room = json, room
        self._last: Mapping[int, Newest] = {}
        self._older: OrderedDict[int, Row] = OrderedDict()

    def get(self, id: int) -> Newest | None:
        if id in self._last:
            return self._last[id]
        row = self._older.get(id)
        return None if row is None else Newest.stored(row, self._json)

    def keep(self, batch: Mapping[int, Newest], gone: Iterable[int]) -> None:
        """What a batch left of the incidents that it touched; `gone` are those of which it left nothing."""
        before, self._last = self._last, batch
        for id, newest in before.items():
            if id not in batch:
                self._older[id] = newest.row
                self._room -= len(newest.row[-1])
        for ids in (batch, gone):
            for id in ids:
                self._drop(id)
        while self._room < 0 and self._older:
            self._drop(next(iter(self._older)))

    def _drop(self, id: int) -> None:
        row = self._older.pop(id, None)
        if row is not None:
            self._room += len(row[-1])
