"""The read models that are built together: one follower, one transaction, one position."""

from collections.abc import Sequence

from domain.event import Recorded
from projections.attribute_definitions import AttributeDefinitions
from projections.comments import Comments
from projections.comparison import Compared
from projections.database import Dialect, Json, Rows
from projections.generations import Generation
from projections.incidents import Incidents

VERSION = 2
"""Raised with every change of the tables: a release builds tables of its own beside those of the one before it."""


def follower_of(version: int) -> str:
    """What the follower of a release's read models is called."""
    return f"read_models_v{version}"


FOLLOWER = follower_of(VERSION)
REBUILD = f"{FOLLOWER}_rebuild"


class ReadModels:
    """The tables of one generation. A rebuild fills the next generation and then switches to it."""

    def __init__(self, dialect: Dialect, json: Json, generation: int) -> None:
        suffix = Generation(VERSION, generation).suffix
        self.generation = generation
        self.incidents = Incidents(dialect, json, suffix)
        self.comments = Comments(dialect, json, suffix)
        self.definitions = AttributeDefinitions(dialect, suffix)

    def tables(self) -> list[str]:
        return [*self.incidents.tables(), *self.comments.tables(), *self.definitions.tables()]

    def indexes(self) -> list[str]:
        """What only reads need: quicker to make when the tables are full."""
        return [*self.incidents.indexes(), *self.comments.indexes()]

    def compared(self) -> list[Compared]:
        """Every table, with its key."""
        return [*self.incidents.compared(), *self.comments.compared(), *self.definitions.compared()]

    async def apply(self, rows: Rows, batch: Sequence[Recorded]) -> None:
        await self.incidents.apply(rows, batch)
        await self.comments.apply(rows, batch)
        await self.definitions.apply(rows, batch)
