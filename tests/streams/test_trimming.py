"""Streams are trimmed by age or length, but never past what a consumer group still needs."""

import asyncio

from service.settings import Settings
from service.streams.address import parse
from service.streams.publishing import names_of
from service.streams.trimming import TRIM_ENTRIES, Trimming
from service.streams.wire import Wire
from tests.projections.building import Building
from tests.projections.histories import long_history
from tests.streams.publishing import Publishing, published
from tests.streams.reading import ALL, last_id

TENANT = f"{ALL}:acme"


def trimming(publisher: Publishing, redis_url: str, max_age: int = 0, max_length: int = 0) -> Trimming:
    log = publisher.build.engine.log
    return Trimming(Wire(parse(redis_url), 5.0), log, names_of(Settings(), log), max_age, max_length, lambda: True)


async def test_the_newest_are_kept(sqlite: Building, redis_url: str) -> None:
    length = 2 * TRIM_ENTRIES + 100
    async with published(sqlite, redis_url, length) as (publisher, look):
        trim = trimming(publisher, redis_url, max_length=30)
        await trim.trim()
        assert look.xlen(ALL) == 30
        assert look.xlen(TENANT) == 30
        assert look.xrange(ALL, count=1)[0][0] == f"{length - 29}-0"
        await trim.trim()
        assert look.xlen(ALL) == 30
        # What comes next goes onto what is left.
        await sqlite.record(*long_history(3, first=10_000))
        await publisher.catch_up()
        await trim.trim()
        assert last_id(look, ALL) == f"{length + 3}-0"
        assert look.xrange(ALL, count=1)[0][0] == f"{length - 26}-0"
        await trim.close()


async def test_what_is_too_old_goes(sqlite: Building, redis_url: str) -> None:
    async with published(sqlite, redis_url, 20) as (publisher, look):
        trim = trimming(publisher, redis_url, max_age=1)
        await trim.trim()
        assert look.xlen(ALL) == 20
        await asyncio.sleep(1.1)
        await sqlite.record(*long_history(5, first=10_000))
        await publisher.catch_up()
        await trim.trim()
        assert [id for id, _ in look.xrange(ALL)] == [f"{n}-0" for n in range(21, 26)]
        await asyncio.sleep(1.1)
        await trim.trim()
        assert [id for id, _ in look.xrange(ALL)] == ["25-0"]  # the last one stays: it is compared with the log
        await trim.close()


async def test_what_a_group_needs_stays(sqlite: Building, redis_url: str) -> None:
    async with published(sqlite, redis_url, 50) as (publisher, look):
        trim = trimming(publisher, redis_url, max_length=5)
        look.xgroup_create(ALL, "slow", id="0")
        look.xgroup_create(ALL, "quick", id="0")
        look.xreadgroup("quick", "one", {ALL: ">"}, count=50)
        look.xack(ALL, "quick", *(f"{n}-0" for n in range(1, 51) if n != 40))
        await trim.trim()
        assert look.xlen(ALL) == 50  # nothing was delivered to the slow one
        look.xreadgroup("slow", "one", {ALL: ">"}, count=20)
        await trim.trim()
        assert look.xlen(ALL) == 50  # nothing was acknowledged by it
        look.xack(ALL, "slow", *(f"{n}-0" for n in range(1, 21) if n != 11))
        await trim.trim()
        assert look.xrange(ALL, count=1)[0][0] == "11-0"
        look.xack(ALL, "slow", "11-0")
        await trim.trim()
        assert look.xrange(ALL, count=1)[0][0] == "21-0"  # delivered up to 20, the others are still to come
        look.xgroup_destroy(ALL, "slow")
        await trim.trim()
        assert look.xrange(ALL, count=1)[0][0] == "40-0"
        look.xack(ALL, "quick", "40-0")
        await trim.trim()
        assert look.xlen(ALL) == 5
        await trim.close()
