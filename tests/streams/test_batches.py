"""One script for one stream: all of a batch or nothing, and only onto the right last entry."""

from projections.cloud_events import Published
from projections.database import Unavailable
from projections.stream_batches import BATCH_BYTES, Batch, Entry
from service.streams.address import parse
from service.streams.redis_streams import RedisStreams
from service.streams.wire import Wire
from tests.domain.examples import BREACH, edited, reported
from tests.projections.building import Building
from tests.projections.histories import long_history
from tests.servers.redis import RedisServer
from tests.streams.publishing import publishing, until
from tests.streams.reading import ALL, last_id, whole

STEP_BYTES = 20_000
ROUNDS = 60


def batch(prev: int, *positions: int, stream: str = ALL, size: int = 10) -> Batch:
    return Batch({stream: prev}, {stream: positions[-1]}, [(event(n, size), (stream,)) for n in positions])


def event(position: int, size: int = 10) -> Published:
    return Published(position, "acme", "t", "s", b"x" * size, "d" * 64)


async def test_a_batch_goes_only_onto_the_entry_before_it(redis_url: str, redis_server: RedisServer) -> None:
    streams = RedisStreams(Wire(parse(redis_url), 5.0), "log")
    await streams.ready()
    with redis_server.client() as look:
        assert await streams.add([batch(1, 2, 3)]) == [{ALL: "0-0"}]
        assert not look.exists(ALL)
        ends = await streams.add([batch(0, 1, 2), batch(2, 3), batch(0, 7, stream="other")])
        assert ends == [{ALL: "2-0"}, {ALL: "3-0"}, {"other": "7-0"}]
        for refused in (batch(2, 3, 4), batch(4, 5), batch(0, 1), batch(7, 8)):
            assert await streams.add([refused]) == [{ALL: "3-0"}]
        found = look.xrange(ALL)
        assert [(id, fields["prev"]) for id, fields in found] == [("1-0", "0"), ("2-0", "1"), ("3-0", "2")]
        look.xtrim(ALL, maxlen=0)
        assert await streams.add([batch(3, 9)]) == [{ALL: "9-0"}]  # what was trimmed was there
    await streams.close()


async def test_each_stream_gets_its_own_part_of_a_batch_or_nothing(redis_url: str, redis_server: RedisServer) -> None:
    """One of them is elsewhere: that one is left as it is, and the others get what is theirs."""
    streams = RedisStreams(Wire(parse(redis_url), 5.0), "log")
    await streams.ready()
    a, b = f"{ALL}:a", f"{ALL}:b"
    entries: list[Entry] = [(event(1), (ALL, a)), (event(2), (ALL, b)), (event(3), (b,)), (event(4), (a, ALL))]
    with redis_server.client() as look:
        look.xadd(b, {"left": "alone"}, id="9-0")
        (ends,) = await streams.add([Batch({ALL: 0, a: 0, b: 0}, {ALL: 4, a: 4, b: 3}, entries)])
        assert ends == {ALL: "4-0", a: "4-0", b: "9-0"}
        found = {name: [(id, fields.get("prev")) for id, fields in look.xrange(name)] for name in (ALL, a, b)}
    assert found == {
        ALL: [("1-0", "0"), ("2-0", "1"), ("4-0", "2")], a: [("1-0", "0"), ("4-0", "1")], b: [("9-0", None)],
    }  # fmt: skip
    await streams.close()


async def test_memory_that_ends_in_the_middle_of_a_batch_leaves_no_half_of_it() -> None:
    """Batches are larger than what is left; memory is raised in small steps, so that they meet the limit anywhere."""
    with RedisServer(appendonly="no", maxmemory_policy="noeviction") as server, server.client() as look:
        streams = RedisStreams(Wire(parse(server.url), 5.0), "log")
        await streams.ready()
        limit: int = look.info("memory")["used_memory"] + 200_000
        end, refused = 0, 0
        for _ in range(ROUNDS):
            look.config_set("maxmemory", limit)
            try:
                await streams.ready()
                wanted = batch(end, *range(end + 1, end + 21), size=4_000)
                assert await streams.add([wanted]) == [{ALL: f"{end + 20}-0"}]
                end += 20
            except Unavailable as error:
                refused += 1
                assert str(error) == "Redis: it is out of memory"  # noqa: PT017
                limit += STEP_BYTES
            found = look.xrange(ALL)
            assert [id for id, _ in found] == [f"{n}-0" for n in range(1, end + 1)]
            assert [fields["prev"] for _, fields in found] == [str(n) for n in range(end)]
        assert refused > 10
        assert end > 100
        await streams.close()


async def test_a_redis_without_memory_is_caught_up_with_when_it_has_some(sqlite: Building) -> None:
    with RedisServer(appendonly="no", maxmemory_policy="noeviction") as server, server.client() as look:
        async with publishing(sqlite, server.url) as publisher, publisher.running():
            look.config_set("maxmemory", look.info("memory")["used_memory"] + 50_000)
            await publisher.record(*long_history(400))
            await until(lambda: ("follower_waits", "Redis: it is out of memory") in publisher.noticed)
            state = await sqlite.leases.state("publisher")
            assert state is not None
            assert state.position < 400
            look.config_set("maxmemory", 0)
            await whole(look, sqlite.engine.log._file.path)  # type: ignore[attr-defined]


async def test_a_long_batch_is_several_scripts(sqlite: Building, redis_url: str, redis_server: RedisServer) -> None:
    text = "x" * 19_000
    texts = [BREACH["description"], *(f"{n}{text}" for n in range(1, 60))]
    edits = [edited(n, description=(texts[n - 1], texts[n])) for n in range(1, 60)]
    await sqlite.record(reported(), *edits)
    assert sum(len(text) * 3 for _ in edits) > 2 * BATCH_BYTES
    async with publishing(sqlite, redis_url) as publisher:
        await publisher.catch_up()
    with redis_server.client() as look:
        await whole(look, sqlite.engine.log._file.path)  # type: ignore[attr-defined]


async def test_whoever_finds_a_stream_elsewhere_looks_again(
    sqlite: Building, redis_url: str, redis_server: RedisServer
) -> None:
    await sqlite.record(*long_history(20))
    with redis_server.client() as look:
        async with publishing(sqlite, redis_url) as publisher, publisher.running():
            await until(lambda: last_id(look, ALL) == "20-0")
            look.delete(ALL)
            await publisher.record(*long_history(5, first=100))
            await until(lambda: last_id(look, ALL) == "25-0")
            await whole(look, sqlite.engine.log._file.path)  # type: ignore[attr-defined]
    assert [event for event, _ in publisher.noticed] == ["follower_displaced"]
