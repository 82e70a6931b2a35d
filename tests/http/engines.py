"""The tests that hold for both databases: the mark runs each of them on SQLite and on PostgreSQL."""

import pytest

both_engines = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
