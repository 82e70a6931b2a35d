"""The events in order of position, folded, and the rows of the read models beside them: those of the past as they came
about, what is there now when the incident or comment has not changed for long, or at the end.

It only finds out whether all is as it should be. Aggregates of which it is not, those that were erased among them, are
in doubt, to be looked at by themselves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from operator import itemgetter
from typing import Final

from projections.database import Database
from service.audit.verify.contents import UNSOUND, members
from service.audit.verify.folds import BIRTHS, Fold
from service.audit.verify.model_tables import PAST, ModelTable, rows_of
from service.audit.verify.told import Row
from service.store.log import Plain

ROOM: Final = 96 * 2**20
"""Bytes."""
SETTLED: Final = 2_000
"""Aggregates that are compared at once."""
MAX_DOUBTS: Final = 100_000
"""Aggregates in doubt; with more of them it is quicker to look at every one."""

_until = itemgetter(-1)


class RowWalk:
    """`upto`: the position that the read models had before anything was read. `room`: bytes, about, of what may still
    change; beyond, what has not changed for longest is compared, and is in doubt if it changes later."""

    def __init__(self, database: Database, tables: Sequence[ModelTable], upto: int, room: int = ROOM) -> None:
        self._database, self._upto, self._room = database, upto, room
        self._tables = {table.what: table for table in tables}
        self._waiting: dict[str, Fold] = {}
        """By aggregate, the one that changed last at the end."""
        self._weight = 0
        self.doubts: set[str] = set()
        """Ids of aggregates, as the log has them."""
        self.given_up = False
        """There are too many of them, or events of what nobody has heard of: every aggregate has to be looked at."""
        self.matched: Counter[str] = Counter()
        """Rows that are as they should be, by table; none of an aggregate in doubt."""
        past = self._tables[PAST]
        self._past = f"""{past.name} WHERE {database.dialect.among("tenant_id", 1)}
                         AND to_position > $2 AND to_position <= $3"""
        self._columns = ", ".join(past.columns)

    async def past(self, rows: Sequence[Plain], first: int, last: int) -> Sequence[Row]:
        """The versions that ended with these events, which are all of the positions from `first` to `last`."""
        last = min(last, self._upto)
        if self.given_up or last < first:
            return ()
        found = await self._database.every(self._columns, self._past, sorted({row[5] for row in rows}), first - 1, last)
        return sorted(map(tuple, found), key=_until)

    async def part(self, rows: Sequence[Plain], past: Sequence[Row]) -> None:
        """The next events, and what `past` found of them."""
        if self.given_up:
            return
        self._follow(rows, past)
        if self._weight > self._room:
            await self._settle(self._oldest())

    async def end(self) -> None:
        if not self.given_up:
            await self._settle([*self._waiting])

    def _follow(self, rows: Sequence[Plain], past: Sequence[Row]) -> None:
        """Take the events, and with each that ends a version the row of that one."""
        waiting, doubts, upto = self._waiting, self.doubts, self._upto
        weight, place, count = 0, 0, len(past)
        for position, id, version, topic, state, tenant_id, subject_id, at, command_id, salt, digest in rows:
            if id in doubts:
                continue
            fold = waiting.pop(id, None)
            if fold is not None:
                weight -= fold.weight
            doubts.add(id)  # until all of it was as it should be
            try:
                if position > upto or sha256(salt + state).digest() != digest:
                    continue
                content = members(topic, state, tenant_id, id, subject_id, command_id)
                if fold is None:
                    self.given_up = self.given_up or version > 0
                    fold = BIRTHS[topic](id, subject_id, position, at, topic, content)
                else:
                    if version != fold.version + 1:
                        continue
                    ended = fold.follow(position, version, at, topic, content)
                    if ended is not None:
                        if place == count or past[place] != ended:
                            before, place = place, self._beyond(past, place, position)
                            # Of this aggregate, whose doubt would be taken back below.
                            stray = any(row[1] == ended[1] for row in past[before:place])
                            if stray or place == count or past[place] != ended:
                                continue
                        place += 1
            except UNSOUND:
                continue
            doubts.remove(id)
            waiting[id] = fold
            weight += fold.weight
        self._weight += weight
        self._beyond(past, place, upto + 1)
        self.given_up = self.given_up or len(doubts) > MAX_DOUBTS

    def _beyond(self, past: Sequence[Row], place: int, position: int) -> int:
        """The place of the first row that ended at that position or later; those before it are of no event that is as
        it should be."""
        while place < len(past) and past[place][-1] < position:
            self._doubt(past[place][1].replace("-", ""))
            place += 1
        return place

    def _oldest(self) -> list[str]:
        """As many as make a quarter of the room free."""
        ids, left = [], self._weight - self._room * 3 // 4
        for id, fold in self._waiting.items():
            if left <= 0:
                break
            if fold.weight:
                left -= fold.weight
                ids.append(id)
        return ids

    async def _settle(self, ids: Sequence[str]) -> None:
        """Compare what is there of these with the rows; no event of them is to come."""
        for at in range(0, len(ids), SETTLED):
            folds = {id: self._waiting.pop(id) for id in ids[at : at + SETTLED]}
            self._weight -= sum(fold.weight for fold in folds.values())
            expected = {
                what: {id: rows for id, fold in folds.items() if fold.kind == table.kind and (rows := fold.rows(what))}
                for what, table in self._tables.items()
                if what != PAST
            }
            for what, of_table in expected.items():
                await self._compare(self._tables[what], folds, of_table)
            for what, of_table in expected.items():
                self.matched[what] += sum(len(rows) for id, rows in of_table.items() if id not in self.doubts)
            self.matched[PAST] += sum(folds[id].version for id in expected["incidents"] if id not in self.doubts)

    async def _compare(self, table: ModelTable, folds: Mapping[str, Fold], expected: Mapping[str, list[Row]]) -> None:
        if not expected:
            return
        found = await rows_of(self._database, table, [folds[id].place for id in expected])
        for id, rows in expected.items():
            actual = found.get(folds[id].place, [])
            if rows != actual and (len(rows) != len(actual) or {*rows} != {*actual}):  # in whatever order
                self.doubts.add(id)

    def _doubt(self, id: str) -> None:
        self.doubts.add(id)
        fold = self._waiting.pop(id, None)
        if fold is not None:
            self._weight -= fold.weight
