"""PostgreSQL by TLS: its certificate is verified where the address asks for it, and a server without one is refused."""

from pathlib import Path

import pytest

from service.engines import open_engine
from service.settings import Settings
from service.store.errors import Unreachable
from tests.servers.postgres import Postgres
from tests.servers.tls import PostgresTlsFront


def address(postgres_dsn: str, port: int, ca_file: Path) -> Settings:
    name = postgres_dsn.rpartition("/")[2]
    verified = f"sslmode=verify-full&sslrootcert={ca_file}"
    return Settings(database_url=f"postgresql://postgres@127.0.0.1:{port}/{name}?{verified}")


async def test_a_certificate_of_the_given_authority_is_taken(
    postgres_dsn: str, postgres: Postgres, tmp_path: Path
) -> None:
    async with PostgresTlsFront(postgres.port, tmp_path) as front:
        async with open_engine(address(postgres_dsn, front.port, front.ca_file)) as engine:
            assert await engine.log.head() == 0
        assert front.greeted > 0


async def test_one_of_another_authority_is_not(postgres_dsn: str, postgres: Postgres, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with (
        PostgresTlsFront(postgres.port, tmp_path) as front,
        PostgresTlsFront(postgres.port, tmp_path / "other") as other,
    ):
        with pytest.raises(Unreachable, match="certificate verify failed"):
            async with open_engine(address(postgres_dsn, front.port, other.ca_file)):
                pass


async def test_a_server_that_speaks_no_tls_is_not(postgres_dsn: str, postgres: Postgres, tmp_path: Path) -> None:
    async with PostgresTlsFront(postgres.port, tmp_path) as front:
        with pytest.raises(Unreachable, match="SSL"):
            async with open_engine(address(postgres_dsn, postgres.port, front.ca_file)):
                pass
