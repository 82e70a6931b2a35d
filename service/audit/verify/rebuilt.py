"""What the read models should say of some aggregates: their events, applied by the code that builds the read models,
in a database in memory that is empty before and after."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from domain.event import Recorded
from projections.database import Rows
from projections.read_models import ReadModels
from service.audit.verify.model_tables import ModelTable, tables_of
from service.store.sqlite import DatabaseFile, SqliteDatabase

IN_MEMORY = Path(":memory:")


class Rebuilt:
    def __init__(self, database: SqliteDatabase, models: ReadModels, columns: dict[str, list[str]]) -> None:
        self._database, self._models, self._columns = database, models, columns

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["Rebuilt"]:
        file = DatabaseFile(IN_MEMORY, "NORMAL")
        try:
            database = SqliteDatabase(file)
            models = ReadModels(database.dialect, orjson, 1)
            await database.define(models.tables())
            async with database.transaction() as rows:
                columns = {
                    table.name: [row[1] for row in await rows.fetch(f"PRAGMA table_info({table.name})")]
                    for table in tables_of(models)
                }
            yield cls(database, models, columns)
        finally:
            file.close()

    @property
    def tables(self) -> list[tuple[ModelTable, list[str]]]:
        """Each with the names of its columns."""
        return [(table, self._columns[table.name]) for table in tables_of(self._models)]

    @asynccontextmanager
    async def of(self, facts: Sequence[Recorded]) -> AsyncIterator[Rows]:
        """The rows of these events, the aggregates whole. Raises LookupError where they do not follow each other."""
        async with self._database.transaction() as rows:
            await self._models.apply(rows, facts)
            yield rows
            for compared in self._models.compared():
                await rows.execute(f"DELETE FROM {compared.table}")  # noqa: S608
