"""What an append costs PostgreSQL does not grow with the log."""

from uuid import UUID

from tests.store.engines import PostgresEngine
from tests.store.events import entry

LONG, AT_ONCE = 3_000, 500
FEW = 100
_READ = "SELECT sum(idx_tup_read) + sum(idx_tup_fetch) FROM pg_stat_user_indexes WHERE relname = 'log'"
_SCANNED = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'log'"


async def test_an_edit_reads_a_few_rows_of_a_long_log(postgres_engine: PostgresEngine) -> None:
    async with postgres_engine.log() as log:
        births = [entry(UUID(int=number), 0) for number in range(LONG)]
        for start in range(0, LONG, AT_ONCE):
            await log.append(births[start : start + AT_ONCE])
        before = await _rows_read(postgres_engine)
        outcomes = await log.append([entry(UUID(int=number), 1) for number in range(FEW // 10)])
        assert [outcome.position for outcome in outcomes] == list(range(LONG + 1, LONG + 1 + FEW // 10))
    # The connection's own statistics are told when it ends.
    assert await _rows_read(postgres_engine) - before < FEW


async def _rows_read(engine: PostgresEngine) -> int:
    """Rows of the log that statements of connections that have told so far have looked at."""
    ((by_index,),) = await engine.sql(_READ)
    ((in_order,),) = await engine.sql(_SCANNED)
    return int(by_index or 0) + int(in_order or 0)
