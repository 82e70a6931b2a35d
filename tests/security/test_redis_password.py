"""The password of Redis is changed while the service runs: both are good while some processes have the old one."""

from collections.abc import Callable

from tests.faults.load import authorization, client
from tests.servers.process import ServiceProcess
from tests.servers.redis import RedisServer
from tests.streams.reading import whole


async def report(service: ServiceProcess) -> None:
    async with client(service.url, authorization(service)) as one:
        await one.report()


async def test_a_second_password_takes_over_from_the_first(
    postgres_dsn: str, start_service: Callable[..., ServiceProcess]
) -> None:
    with RedisServer(appendonly="no") as server, server.client() as admin:
        address = f"redis://ims:%s@127.0.0.1:{server.port}/0"
        admin.execute_command("ACL", "SETUSER", "ims", "on", ">first", "~*", "&*", "+@all")
        old = start_service(database_url=postgres_dsn, redis_url=address % "first")
        await report(old)
        await whole(admin, postgres_dsn)
        admin.execute_command("ACL", "SETUSER", "ims", ">second")
        new = start_service(database_url=postgres_dsn, redis_url=address % "second")
        await report(old)
        await whole(admin, postgres_dsn)
        old.terminate()
        admin.execute_command("ACL", "SETUSER", "ims", "<first")
        await report(new)
        assert len(await whole(admin, postgres_dsn)) == 3
        assert "AuthenticationError" not in old.logs + new.logs
