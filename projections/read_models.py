"""The read models that are built together: one follower, one transaction, one position."""

from collections.abc import Sequence

from domain.comment import Comment
from domain.erasure import Erasing
from domain.event import Fact, Recorded
from domain.incident import Incident
from projections.attribute_definitions import AttributeDefinitions
from projections.comments import Comments
from projections.comparison import Compared
from projections.database import Dialect, Json, Reader, Rows
from projections.generations import Generation, by_generation
from projections.incidents import Changes, Incidents
from projections.remembered import Remembered

VERSION = 3
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

    async def apply(self, rows: Rows, batch: Sequence[Fact]) -> None:
        """What is erased leaves the tables of other generations too."""
        await self.write(rows, batch, await self.changes(rows, batch))
        erasing = [fact for fact in batch if isinstance(fact, Recorded) and isinstance(fact.event, Erasing)]
        if erasing:
            await self._erase_elsewhere(rows, erasing)

    async def changes(self, reader: Reader, batch: Sequence[Fact]) -> Changes:
        """What can be found out before it is written."""
        return await self.incidents.changes(reader, _readable(batch))

    async def write(self, rows: Rows, batch: Sequence[Fact], changes: Changes) -> None:
        """Into the tables of this generation alone."""
        facts = _readable(batch)
        await self.incidents.write(rows, changes)
        await self.comments.apply(rows, facts)
        await self.definitions.apply(rows, facts)

    async def erase(self, rows: Rows, fact: Recorded) -> None:
        """What is erased leaves these tables too, wherever whoever fills them is."""
        event = fact.event
        if isinstance(event, Incident.IncidentErased):
            await self.incidents.erase(rows, event, fact.position)
        elif isinstance(event, Comment.CommentErased):
            await self.comments.erase(rows, event)

    async def _erase_elsewhere(self, rows: Rows, erasing: Sequence[Recorded]) -> None:
        """Other generations may be gone back to, so they stay sound; the tables of other releases lose the rows."""
        for generation, tables in by_generation(await rows.fetch(self._dialect.table_names)).items():
            if generation.version != VERSION:
                await _remove(rows, tables, generation.suffix, erasing)
            elif generation.number != self.generation:
                others = ReadModels(self._dialect, self._json, generation.number)
                for fact in erasing:
                    await others.erase(rows, fact)


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


def _readable(batch: Sequence[Fact]) -> list[Recorded]:
    """What was erased from the log is passed over: the event that erased it follows."""
    return [fact for fact in batch if isinstance(fact, Recorded)]
