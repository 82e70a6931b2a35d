"""The read models that are built together: one follower, one transaction, one position."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, NamedTuple

from domain.comment import Comment
from domain.erasure import Erasing
from domain.event import Fact, Recorded
from domain.incident import Incident
from projections.attribute_definitions import AttributeDefinitions
from projections.comments import Comments
from projections.comparison import Compared
from projections.database import Dialect, Json, Reader, Rows
from projections.follower import Placed
from projections.generations import Generation, by_generation
from projections.incident_changes import WRITTEN_BYTES, IncidentChanges
from projections.incidents import Incidents
from projections.remembered import Remembered

VERSION = 4
"""Raised with every change of the tables: a release builds tables of its own beside those of the one before it."""


def follower_of(version: int) -> str:
    """What the follower of a release's read models is called."""
    return f"read_models_v{version}"


FOLLOWER = follower_of(VERSION)
REBUILD = f"{FOLLOWER}_rebuild"

_KEYS = {
    "incidents": "id", "past_incidents": "id", "incident_attributes": "incident_id", "past_attributes": "incident_id",
    "comments": "id",
}  # fmt: skip
"""The tables, of any release, that hold what was written, and the column that names the incident or comment."""


Writing = AbstractAsyncContextManager[Rows]
"""A transaction."""


class Changes(NamedTuple):
    """What some events do to incidents, and those of them that are about something else."""

    incidents: IncidentChanges
    comments: Sequence[Recorded]
    definitions: Sequence[Recorded]


class Fold:
    """Events that are written together, a few at a time."""

    def __init__(self, incidents: Incidents, max_bytes: int = WRITTEN_BYTES) -> None:
        self._incidents, self._fold = incidents, incidents.fold(max_bytes)
        self._comment_bytes = 0
        self._comments: list[Recorded] = []
        self._definitions: list[Recorded] = []

    @property
    def size(self) -> int:
        """Bytes of what is to be written, about."""
        return self._fold.size + self._comment_bytes

    async def add(self, reader: Reader, batch: Sequence[Placed]) -> int:
        """Returns how many of them were taken, one at least: no more than is well written at once. What was erased from
        the log is passed over: the event that erased it follows. So is what is no event.

        Raises LookupError.
        """
        places = [
            place
            for place, fact in enumerate(batch)
            if isinstance(fact, Recorded) and isinstance(fact.event, Incident.Event)
        ]
        of_incidents: list[Any] = [batch[place] for place in places]
        incidents, taken = self._incidents, len(batch)
        if of_incidents:
            fitting = await self._fold.add(
                partial(incidents.stored, reader), partial(incidents.sizes, reader), of_incidents
            )
            taken = places[fitting] if fitting < len(places) else taken
        for fact in batch[:taken]:
            if isinstance(fact, Recorded) and not isinstance(fact.event, Incident.Event):
                if isinstance(fact.event, Comment.Event):
                    self._comments.append(fact)
                    self._comment_bytes += len(getattr(fact.event, "text", ""))
                else:
                    self._definitions.append(fact)
        return taken

    def changes(self) -> Changes:
        """Of all of them; no more can be added then."""
        return Changes(self._fold.changes(), self._comments, self._definitions)


class ReadModels:
    """The tables of one generation. A rebuild fills the next generation and then switches to it."""

    def __init__(self, dialect: Dialect, json: Json, generation: int, remembered: Remembered | None = None) -> None:
        suffix = Generation(VERSION, generation).suffix
        self.generation = generation
        self.incidents = Incidents(dialect, json, suffix, remembered)
        self.comments = Comments(dialect, json, suffix)
        self.definitions = AttributeDefinitions(dialect, suffix)
        self._dialect, self._json = dialect, json

    def tables(self) -> list[str]:
        return [*self.incidents.tables(), *self.comments.tables(), *self.definitions.tables()]

    def indexes(self) -> list[str]:
        """What only reads need: quicker to make when the tables are full."""
        return [*self.incidents.indexes(), *self.comments.indexes()]

    def compared(self) -> list[Compared]:
        """Every table, with its key."""
        return [*self.incidents.compared(), *self.comments.compared(), *self.definitions.compared()]

    async def apply(self, rows: Rows, batch: Sequence[Fact], past_erased: int = 0) -> int:
        """Returns how many were applied, one at least. What is erased leaves the tables of other generations too.

        `past_erased`: the position up to which `erase_past` has left nothing of what they erase.
        """
        fold = self.fold()
        taken = await fold.add(rows, batch)
        await self.write(rows, fold.changes(), past_erased)
        erasing = [fact for fact in batch[:taken] if isinstance(fact, Recorded) and isinstance(fact.event, Erasing)]
        if erasing:
            await self._erase_elsewhere(rows, erasing, past_erased)
        return taken

    async def erase_past(self, reader: Reader, writing: Callable[[], Writing], fact: Recorded) -> None:
        """What is erased leaves the versions of before in the tables of every generation, in any number of transactions
        that `writing` begins: none of them is long. It can be done again."""
        event = fact.event
        if not isinstance(event, Incident.IncidentErased):
            return
        for generation in by_generation(await reader.fetch(self._dialect.table_names)):
            if generation.version == VERSION:
                past = ReadModels(self._dialect, self._json, generation.number).incidents.past
                for versions in await past.slices(reader, event, fact.position):
                    async with writing() as rows:
                        await past.erase_slice(rows, event, fact.position, self._json, versions)

    def fold(self, max_bytes: int = WRITTEN_BYTES) -> "Fold":
        """What can be found out of events before it is written."""
        return Fold(self.incidents, max_bytes)

    async def write(self, rows: Rows, changes: "Changes", past_erased: int = 0) -> None:
        """Into the tables of this generation alone."""
        await self.incidents.write(rows, changes.incidents, past_erased)
        await self.comments.apply(rows, changes.comments)
        await self.definitions.apply(rows, changes.definitions)

    async def erase(self, rows: Rows, fact: Recorded, past_erased: int = 0) -> None:
        """What is erased leaves these tables too, wherever whoever fills them is."""
        event = fact.event
        if isinstance(event, Incident.IncidentErased):
            await self.incidents.erase(rows, event, fact.position, past_erased)
        elif isinstance(event, Comment.CommentErased):
            await self.comments.erase(rows, event)

    async def _erase_elsewhere(self, rows: Rows, erasing: Sequence[Recorded], past_erased: int) -> None:
        """Other generations may be gone back to, so they stay sound; the tables of other releases lose the rows."""
        for generation, tables in by_generation(await rows.fetch(self._dialect.table_names)).items():
            if generation.version != VERSION:
                await _remove(rows, tables, generation.suffix, erasing)
            elif generation.number != self.generation:
                others = ReadModels(self._dialect, self._json, generation.number)
                for fact in erasing:
                    await others.erase(rows, fact, past_erased)


async def _remove(rows: Rows, tables: Sequence[str], suffix: str, erasing: Sequence[Recorded]) -> None:
    for table in tables:
        what = table.removesuffix(suffix)
        if what not in _KEYS:
            continue
        kind = Comment.CommentErased if what == "comments" else Incident.IncidentErased
        events = [fact.event for fact in erasing if isinstance(fact.event, kind)]
        await rows.many(
            f"DELETE FROM {table} WHERE tenant_id = $1 AND {_KEYS[what]} = $2",
            [(event.tenant_id, str(event.originator_id)) for event in events],
        )
