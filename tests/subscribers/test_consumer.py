"""Members of a consumer group: each event is handled, once where nothing goes wrong, and nothing is passed over."""

import asyncio
import time
from typing import Any

import pytest

from service.streams.address import parse
from service.streams.redis_streams import RedisStreams
from service.streams.wire import Wire
from service.subscribers import consumer
from service.subscribers.consumer import Limits
from service.subscribers.entries import Altered, Entry, Hole
from tests.servers.redis import RedisServer
from tests.subscribers.published import ALL, GROUP, Stream, history, until

SOON = Limits(attempts=3, idle=0.6)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(consumer, "BLOCK_SECONDS", 0.2)


def fails_at(*positions: int) -> Any:
    def handle(entry: Entry) -> None:
        if entry.position in positions:
            raise ValueError(f"cannot take {entry.position}")

    return handle


async def test_a_group_gets_all_of_history_in_order_and_then_what_is_new(stream: Stream) -> None:
    events = await history(200)
    await stream.write(events[:120])
    one = stream.member()
    await one.until(set(range(1, 121)))
    await stream.write(events[120:], prev=120)
    await one.until(set(range(1, 201)))
    assert one.handled == list(range(1, 201))
    await until(lambda: stream.pending() == 0)


async def test_an_entry_says_what_the_event_says(stream: Stream) -> None:
    events = await history(3)
    await stream.write(events)
    seen: list[Entry] = []
    await stream.member(handle=seen.append).until({1, 2, 3})
    assert [(e.event, e.type, e.subject, e.tenant, e.digest) for e in seen] == [
        (event.event, event.type, event.subject, event.tenant_id, event.digest) for event in events
    ]
    assert [entry.prev for entry in seen] == [0, 1, 2]
    assert seen[1].cloud_event["id"] == "2"


async def test_members_share_the_work(stream: Stream) -> None:
    await stream.write(await history(400))
    members = [stream.member(name, handle=lambda _: asyncio.sleep(0.001)) for name in ("one", "two", "three")]
    await until(lambda: sum(len(member.handled) for member in members) == 400)
    assert sorted(position for member in members for position in member.handled) == list(range(1, 401))
    assert all(member.handled == sorted(member.handled) for member in members)
    assert all(member.handled for member in members)


async def test_what_a_member_left_behind_is_claimed_by_another(stream: Stream) -> None:
    await stream.write(await history(30))
    stuck = asyncio.Event()

    async def hang(_: Entry) -> None:
        stuck.set()
        await asyncio.Event().wait()

    gone = stream.member("gone", SOON, handle=hang)
    await stuck.wait()
    await stream.stop(gone)  # it holds all thirty
    other = stream.member("other", SOON)
    await other.until(set(range(1, 31)))
    assert other.handled == list(range(1, 31))
    await until(lambda: stream.pending() == 0)


async def test_who_comes_back_under_its_name_goes_on_with_what_it_had(stream: Stream) -> None:
    await stream.write(await history(30))
    seen = asyncio.Event()

    async def hang_at_ten(entry: Entry) -> None:
        if entry.position == 10:
            seen.set()
            await asyncio.Event().wait()

    first = stream.member("one", handle=hang_at_ten)
    await seen.wait()
    await stream.stop(first)
    again = stream.member("one")
    await again.until(set(range(10, 31)), seconds=5)
    assert (first.handled, again.handled) == (list(range(1, 10)), list(range(10, 31)))


async def test_who_works_slowly_is_not_robbed(stream: Stream) -> None:
    await stream.write(await history(3))
    slow = stream.member("slow", SOON, handle=lambda _: asyncio.sleep(1.2))
    await until(lambda: stream.pending() == 3)
    robber = stream.member("robber", SOON)
    await slow.until({1, 2, 3})
    assert robber.handled == []


async def test_who_was_paused_leaves_alone_what_another_claimed_meanwhile(stream: Stream) -> None:
    await stream.write(await history(4))
    limits = Limits(idle=3.0)

    def pause(entry: Entry) -> None:
        if entry.position == 2:
            time.sleep(limits.idle + 0.1)
            with stream.client() as client:
                client.xclaim(ALL, GROUP, "other", int(limits.idle * 1000), ["3-0", "4-0"])

    paused = stream.member("paused", limits, handle=pause)
    await paused.until({1, 2})
    await stream.write((await history(5))[4:], prev=4)
    await paused.until({5})
    assert paused.handled == [1, 2, 5]
    with stream.client() as client:
        held = client.xpending_range(ALL, GROUP, "-", "+", 10)
    assert [(entry["message_id"], entry["consumer"]) for entry in held] == [("3-0", "other"), ("4-0", "other")]


async def test_a_poison_event_is_put_aside_with_the_reason_and_the_others_go_on(stream: Stream) -> None:
    events = await history(40)
    await stream.write(events)
    one = stream.member(limits=SOON, handle=fails_at(7, 21))
    rest = {*range(1, 41)} - {7, 21}
    await one.until(rest)
    assert one.handled == sorted(rest)
    await until(lambda: stream.pending() == 0)
    first, second = stream.dead()
    assert (first["id"], first["stream"], first["consumer"]) == ("7-0", ALL, "one")
    assert first["reason"] == "ValueError: cannot take 7"
    assert first["event"]["id"] == "7"
    assert first["digest"] == events[6].digest
    assert second["id"] == "21-0"


async def test_an_event_that_fails_a_few_times_is_tried_again_and_nothing_overtakes_it(stream: Stream) -> None:
    await stream.write(await history(10))
    failures = [5, 5]

    def handle(entry: Entry) -> None:
        if failures and entry.position == failures[0]:
            failures.pop()
            raise ValueError("not yet")

    one = stream.member(limits=SOON, handle=handle)
    await one.until(set(range(1, 11)))
    assert one.handled == list(range(1, 11))
    assert stream.dead() == []


async def test_an_event_that_ends_its_consumers_is_put_aside_alone(stream: Stream) -> None:
    await stream.write(await history(20))
    tries = 0

    async def die_at_three(entry: Entry) -> None:
        nonlocal tries
        if entry.position == 3:
            tries += 1
            dying.set()
            await asyncio.Event().wait()  # until the test ends it, as a crash would

    handled: list[int] = []
    for _ in range(SOON.attempts):
        dying = asyncio.Event()
        member = stream.member("one", SOON, handle=die_at_three)
        await dying.wait()
        await stream.stop(member)
        handled += member.handled
    last = stream.member("one", SOON, handle=die_at_three)
    await last.until(set(range(4, 21)))
    assert tries == SOON.attempts
    assert handled + last.handled == [n for n in range(1, 21) if n != 3]
    (dead,) = stream.dead()
    assert (dead["id"], dead["reason"]) == ("3-0", f"delivered {SOON.attempts} times and never finished")


@pytest.mark.parametrize("read_before", [0, 20], ids=["within a batch", "between two"])
async def test_a_hole_is_not_passed_over(stream: Stream, read_before: int) -> None:
    events = await history(40)
    missing = 21
    if read_before:
        await stream.write(events[:20])
        one = stream.member()
        await one.until(set(range(1, 21)))
        await stream.stop(one)
    await stream.write(events[read_before:], prev=read_before)
    with stream.client() as client:
        client.xdel(ALL, f"{missing}-0")
    for _ in range(2):  # also when it is started again
        member = stream.member("two")
        with pytest.raises(Hole, match=r"position 22 follows 21, .* is 20\."):
            await asyncio.wait_for(member.task, 10)
        assert 22 not in member.handled
    over = stream.member("two", Limits(stop_at_hole=False))
    await over.until(set(range(22, 41)))


async def test_a_stream_that_was_trimmed_past_the_group_is_a_hole(stream: Stream) -> None:
    events = await history(40)
    await stream.write(events[:10])
    one = stream.member()
    await one.until(set(range(1, 11)))
    await stream.stop(one)
    await stream.write(events[10:], prev=10)
    with stream.client() as client:
        client.xtrim(ALL, minid="21-0", approximate=False)
    with pytest.raises(Hole, match="position 21 follows 20"):
        await asyncio.wait_for(stream.member().task, 10)


async def test_a_new_group_on_a_trimmed_stream_begins_where_it_begins(stream: Stream) -> None:
    await stream.write(await history(40))
    with stream.client() as client:
        client.xtrim(ALL, minid="21-0", approximate=False)
    one = stream.member()
    await one.until(set(range(21, 41)))
    assert one.handled == list(range(21, 41))


async def test_what_is_published_again_is_not_handled_again(stream: Stream) -> None:
    events = await history(30)
    await stream.write(events[:20])
    one = stream.member()
    await one.until(set(range(1, 21)))
    with stream.client() as client:
        client.flushall()  # the group is gone too
    await stream.write(events)
    await one.until(set(range(1, 31)))
    assert one.handled == list(range(1, 31))
    await until(lambda: stream.pending() == 0)


async def test_another_event_at_a_position_that_was_handled_stops_the_consumer(stream: Stream) -> None:
    events = await history(20)
    await stream.write(events)
    one = stream.member()
    await one.until(set(range(1, 21)))
    with stream.client() as client:
        client.flushall()
    await stream.write([event._replace(digest="0" * 64) for event in events])
    with pytest.raises(Altered, match="position 1 "):
        await asyncio.wait_for(one.task, 10)


@pytest.mark.parametrize(("id", "fields"), [("31-0", {"a": "b"}), ("30-7", {"event": "{}", "type": "t"})])
async def test_what_no_publisher_wrote_stops_the_consumer(stream: Stream, id: str, fields: dict[str, str]) -> None:
    await stream.write(await history(30))
    with stream.client() as client:
        client.xadd(ALL, fields, id=id)
    with pytest.raises(Altered, match=f"entry {id} is not of the publisher's form"):
        await asyncio.wait_for(stream.member().task, 10)


async def test_redis_may_come_and_go(stream: Stream) -> None:
    with RedisServer() as server:
        stream.url = server.url
        stream.writer = RedisStreams(Wire(parse(server.url), 5.0), "log")
        events = await history(60)
        await stream.write(events[:30])
        one = stream.member(limits=SOON, handle=lambda _: asyncio.sleep(0.01))
        await one.until({5})
        server.kill()
        await asyncio.sleep(0.3)
        server.start()
        await stream.writer.close()
        await stream.write(events[30:], prev=30)
        await one.until(set(range(1, 61)))
        assert one.handled == list(range(1, 61)), "acknowledged or not, it knew what it had handled"
        await until(lambda: stream.pending() == 0)
        await stream.stop(one)
        await stream.writer.close()


async def test_a_group_on_a_stream_that_does_not_exist_waits_for_it(stream: Stream) -> None:
    one = stream.member(stream=f"{ALL}:acme")
    await until(lambda: stream.client().exists(f"{ALL}:acme"))
    await stream.write(await history(5), f"{ALL}:acme")
    await one.until({1, 2, 3, 4, 5})
    with stream.client() as client:
        groups: Any = client.xinfo_groups(f"{ALL}:acme")
    assert [group["name"] for group in groups] == [GROUP]
