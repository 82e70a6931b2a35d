"""A standby of a PostgreSQL, as a second machine would be: copied from its primary, and fed by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Self

from tests.servers.postgres import Postgres

SYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
CATCH_UP_SECONDS = 30


class Standby(Postgres):
    """`promote` makes it a primary of its own, which then waits for no standby."""

    def __init__(self, primary: Postgres, **options: str | int) -> None:
        super().__init__(**options)
        self._primary = primary

    def start(self) -> Self:
        super().start()
        self.set(synchronous_standby_names="")  # what it copied from its primary
        return self

    def _initialise(self) -> None:
        self._make_data_folder()
        self.run("pg_basebackup", "-D", self._data, "-d", self._primary.dsn, "-R", "-c", "fast", "--no-sync")


def wait_for_standby(primary: Postgres) -> None:
    """Let no commit of the primary count before a standby has it; returns when one is there."""
    primary.set(synchronous_standby_names="*")
    end = monotonic() + CATCH_UP_SECONDS
    while primary.sql(SYNCHRONOUS) == "0":
        assert monotonic() < end, "no standby came"
        sleep(0.02)


@contextmanager
def pair() -> Iterator[tuple[Postgres, Standby]]:
    """A primary, and its synchronous standby."""
    with Postgres() as primary, Standby(primary) as standby:
        wait_for_standby(primary)
        yield primary, standby


def url_of(*servers: Postgres) -> str:
    """One URL that names all of them."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"postgresql://postgres@{hosts}/postgres"
