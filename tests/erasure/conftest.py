"""Databases for services, as the tests of faults have them."""

from tests.faults.conftest import Ground, ground, on_postgres, on_sqlite, own_postgres

__all__ = ["Ground", "ground", "on_postgres", "on_sqlite", "own_postgres"]
