"""Databases for services, as the tests of faults have them."""

from tests.faults.conftest import Ground, on_postgres, on_sqlite

__all__ = ["Ground", "on_postgres", "on_sqlite"]
