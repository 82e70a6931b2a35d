"""The database that tests get is what the service's first start leaves of an empty one."""

from pathlib import Path

from service.app import running
from service.settings import Settings
from tests.servers.postgres import Postgres
from tests.servers.template import NAME

SHAPE = """
    SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'ims'
    UNION ALL SELECT tablename, indexname, indexdef, NULL, NULL, NULL FROM pg_indexes WHERE schemaname = 'ims'
    UNION ALL SELECT tablename, tableowner, NULL, NULL, NULL, NULL FROM pg_tables WHERE schemaname = 'ims'
    UNION ALL SELECT p.oid::regprocedure::text, prosrc, proacl::text, NULL, NULL, NULL
        FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'ims'
    UNION ALL SELECT relname, relacl::text, NULL, NULL, NULL, NULL
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'ims'
    ORDER BY 1, 2, 3"""
ROWS = (
    "SELECT (SELECT count(*) FROM ims.log), (SELECT count(*) FROM ims.followers), (SELECT count(*) FROM ims.audit_keys)"
)


async def test_a_copy_has_what_a_first_start_makes_and_holds_nothing(
    postgres: Postgres, postgres_dsn: str, empty_postgres_dsn: str, tmp_path: Path
) -> None:
    copy, fresh = (dsn.rpartition("/")[2] for dsn in (postgres_dsn, empty_postgres_dsn))
    assert postgres.sql(SHAPE, fresh) == ""
    async with running(Settings(database_url=empty_postgres_dsn, data_dir=tmp_path)):
        pass
    made = postgres.sql(SHAPE, fresh)
    assert len(made.splitlines()) > 100
    assert postgres.sql(SHAPE, copy) == made
    assert postgres.sql(ROWS, copy) == "0|0|0"


def test_each_copy_is_a_log_of_its_own(postgres: Postgres, postgres_dsn: str) -> None:
    identity = "SELECT log_id FROM ims.log_identity"
    ids = {postgres.sql(identity, name) for name in (NAME, postgres_dsn.rpartition("/")[2])}
    assert len(ids) == 2
