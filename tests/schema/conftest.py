"""One running service on SQLite for all tests of a worker that hold answers against the OpenAPI document."""

from collections.abc import Iterator

import pytest

from tests.servers.process import ServiceProcess

ROLES = ("tenant-admin", "eraser")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with ServiceProcess(tmp_path_factory.mktemp("schema")) as process:
        yield process


@pytest.fixture(scope="session")
def authorization(service: ServiceProcess) -> dict[str, str]:
    return service.authorization(roles=ROLES)
