"""Databases for services, as the tests of faults have them."""

from tests.faults.conftest import Ground, ground, on_postgres, on_sqlite, own_postgres
from tests.projections.conftest import build, sqlite

__all__ = ["Ground", "build", "ground", "on_postgres", "on_sqlite", "own_postgres", "sqlite"]
