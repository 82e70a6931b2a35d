"""The read models that are built together: one follower, one transaction, one position."""

from collections.abc import Sequence

from domain.event import Recorded
from projections.attribute_definitions import AttributeDefinitions
from projections.comments import Comments
from projections.database import Dialect, Json, Rows
from projections.incidents import Incidents

VERSION = 2
"""Raised with every change of the tables: a release builds tables of its own beside those of the one before it."""

FOLLOWER = f"read_models_v{VERSION}"
REBUILD = f"{FOLLOWER}_rebuild"


class ReadModels:
    """The tables of one generation. A rebuild fills the next generation and then switches to it."""

    def __init__(self, dialect: Dialect, json: Json, generation: int) -> None:
        suffix = f"_v{VERSION}_{generation}"
        self.generation = generation
        self.incidents = Incidents(dialect, json, suffix)
        self.comments = Comments(dialect, json, suffix)
        self.definitions = AttributeDefinitions(dialect, suffix)

    def tables(self) -> list[str]:
        return [*self.incidents.tables(), *self.comments.tables(), *self.definitions.tables()]

    def removal(self) -> list[str]:
        names = (*self.incidents.names(), self.comments.table, self.definitions.table)
        return [f"DROP TABLE IF EXISTS {name}" for name in names]

    async def apply(self, rows: Rows, batch: Sequence[Recorded]) -> None:
        await self.incidents.apply(rows, batch)
        await self.comments.apply(rows, batch)
        await self.definitions.apply(rows, batch)
