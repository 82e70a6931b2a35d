"""What a list costs PostgreSQL depends on what it shows, not on how many incidents there are."""

from pathlib import Path

from projections.listing import NEWEST_FIRST, Filter
from projections.pages import Page
from projections.read_models import FOLLOWER
from service.engines import open_engine
from service.generations import read_models
from service.leases import open_leases
from service.settings import Settings
from tests.bench.many_incidents import TENANT, seed
from tests.store.engines import PostgresEngine

MANY, FEW = 3_000, 30
RARE = Filter(any_of={"status": ["NEW"], "severity": ["CRITICAL"]})
_READ = """SELECT sum(coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0)) FROM pg_stat_user_tables
           WHERE relname ~ '^incidents'"""


async def test_a_list_of_a_rare_status_and_severity_reads_few_rows(postgres_dsn: str, tmp_path: Path) -> None:
    settings = Settings(database_url=postgres_dsn, data_dir=tmp_path)
    await seed(settings, MANY)
    look = PostgresEngine(postgres_dsn)
    await look.sql("VACUUM ANALYZE")
    ((before,),) = await look.sql(_READ)
    async with open_engine(settings) as engine:
        live = await (await open_leases(engine)).state(FOLLOWER)
        assert live is not None
        pages = read_models(engine, live.generation).incidents.current
        page: Page = await pages.page(engine.database, TENANT, RARE, NEWEST_FIRST, 50)
    ((after,),) = await look.sql(_READ)  # the connection's own statistics are told when it ends
    assert page.total == page.count < FEW
    assert after - before < FEW
