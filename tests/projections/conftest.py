"""The engines that read models are built on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.projections.building import Building, building


@pytest.fixture(params=["sqlite", "postgres"])
async def build(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Building]:
    dsn = request.getfixturevalue("postgres_dsn") if request.param == "postgres" else ""
    async with building(tmp_path, dsn) as build:
        yield build


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Building]:
    """For what does not depend on the engine."""
    async with building(tmp_path) as build:
        yield build
