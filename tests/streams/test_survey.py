"""On every connection: which streams lack what, and from where on the log is read again."""

from dataclasses import replace
from uuid import UUID

from domain.event import ActEvent
from projections.stream import FOLLOWER, Publisher
from tests.domain.examples import ANN, reported
from tests.projections.building import Building
from tests.servers.redis import RedisServer
from tests.streams.publishing import Publishing, publishing
from tests.streams.reading import ALL, last_id, whole


def of(tenant: str, number: int) -> ActEvent:
    return replace(reported(by=ANN._replace(tenant_id=tenant)), originator_id=UUID(int=number))


async def begun(publisher: Publishing) -> int:
    """Where a publisher that has just connected goes on from."""
    target = publisher.follower._target
    assert isinstance(target, Publisher)
    await target.ready()
    lease = await publisher.build.leases.acquire(FOLLOWER)
    assert lease is not None
    try:
        return await target.begin(lease)
    finally:
        await publisher.build.leases.release(lease)


async def test_it_goes_back_to_the_earliest_event_that_any_stream_lacks(
    build: Building, redis_url: str, redis_server: RedisServer
) -> None:
    quiet, busy = [of("quiet", n) for n in range(1, 4)], [of("busy", n) for n in range(10, 90)]
    await build.record(*quiet[:2], *busy[:40], quiet[2], *busy[40:])
    quiet_last, head = 43, 83
    with redis_server.client() as look:
        async with publishing(build, redis_url) as publisher:
            assert await begun(publisher) == 0
            await publisher.catch_up()
            assert await begun(publisher) == head
            assert last_id(look, f"{ALL}:quiet") == f"{quiet_last}-0"
            # A stream that lost all begins anew; one that lost its tail with the next event of its tenant.
            kept = look.xrange(f"{ALL}:quiet", count=2)
            look.delete(f"{ALL}:quiet")
            assert await begun(publisher) == 0
            for id, fields in kept:
                look.xadd(f"{ALL}:quiet", fields, id=id)
            assert await begun(publisher) == quiet_last - 1
            await publisher.catch_up()
            assert await begun(publisher) == head
            # The one of all tenants lacks something at once behind its end.
            rest = look.xrange(ALL, count=60)
            look.delete(ALL)
            for id, fields in rest:
                look.xadd(ALL, fields, id=id)
            assert await begun(publisher) == 60
            await publisher.catch_up()
            look.flushall()
            assert await begun(publisher) == 0
            await publisher.catch_up()
            assert [last_id(look, name) for name in (ALL, f"{ALL}:busy", f"{ALL}:quiet")] == ["83-0", "83-0", "43-0"]


async def test_only_what_is_switched_on_is_published(
    sqlite: Building, redis_url: str, redis_server: RedisServer
) -> None:
    await sqlite.record(of("a", 1), of("b", 2), of("a", 3))
    with redis_server.client() as look:
        async with publishing(sqlite, redis_url, streams="tenants") as publisher:
            await publisher.catch_up()
            assert sorted(look.keys("*")) == [f"{ALL}:a", f"{ALL}:b"]
            look.flushall()
        async with publishing(sqlite, redis_url, streams="all") as publisher:
            await publisher.catch_up()
            assert look.keys("*") == [ALL]
        async with publishing(sqlite, redis_url) as publisher:  # both now: the tenants' get all of history
            await publisher.catch_up()
            await whole(look, sqlite.engine.log._file.path)  # type: ignore[attr-defined]


async def test_what_was_erased_keeps_its_place_and_its_digest(
    sqlite: Building, redis_url: str, redis_server: RedisServer
) -> None:
    recorded = await sqlite.record(of("a", 1), of("a", 2), of("a", 3))
    file = sqlite.engine.log._file  # type: ignore[attr-defined]
    await file.write(
        lambda connection: connection.execute("UPDATE log SET state = NULL, salt = NULL WHERE notification_id = 2")
    )
    sqlite.feed._window.clear()
    with redis_server.client() as look:
        async with publishing(sqlite, redis_url) as publisher:
            await publisher.catch_up()
            found = look.xrange(ALL)
    assert [(id, fields["prev"]) for id, fields in found] == [("1-0", "0"), ("2-0", "1"), ("3-0", "2")]
    assert [fields["digest"] for _, fields in found] == [fact.digest.hex() for fact in recorded]
    assert '"erased":true' in found[1][1]["event"]
