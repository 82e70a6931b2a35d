"""Too many requests of a tenant, with a Redis that fails, and too many of an address that nobody knows."""

import asyncio
import math
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from service import anonymous_limit, rate_limit
from service.anonymous_limit import AnonymousLimit
from service.rate_limit import RateLimit
from service.settings import InvalidSettings, load_settings
from tests.http.api import ABSENT_ID, PATH, Api, at
from tests.http.conftest import Serve
from tests.http.test_metrics import named, samples
from tests.servers.redis import RedisServer

MINUTE = 60


@pytest.fixture
async def hung() -> AsyncIterator[str]:
    """The address of what takes connections and never answers."""
    server = await asyncio.start_server(lambda *_: asyncio.sleep(MINUTE), "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def passing(limit: RateLimit, number: int) -> int:
    """How many of these requests pass."""
    return [await limit.seconds_left("acme") for _ in range(number)].count(0)


async def test_who_comes_again_when_he_was_told_to_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = RateLimit("2/2 second", "")
    assert await passing(limit, 2) == 2
    left = [await limit.seconds_left("acme") for _ in range(3)]
    assert 0 < left[2] <= left[1] <= left[0] <= 2
    await asyncio.sleep(math.ceil(left[2]))
    assert await limit.seconds_left("acme") == 0


async def test_a_redis_that_does_not_answer_leaves_each_process_to_count_for_itself(
    hung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "ANSWER_SECONDS", 0.2)
    for url in (hung, "redis://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/master"):
        limit = RateLimit("3/hour", url)
        assert await passing(limit, 10) == 3
        assert limit.status()["counted_by"] == "process"
        assert limit.error
        assert await limit.seconds_left("other") == 0


async def test_a_redis_that_is_full_is_one_that_does_not_answer_and_is_asked_again(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "ANSWER_SECONDS", 5.0)
    monkeypatch.setattr(rate_limit, "AWAY_SECONDS", 0.0)
    limit = RateLimit("3/hour", redis_url)
    with redis_server.client() as admin:
        admin.config_set("maxmemory", "1")
        try:
            assert await passing(limit, 5) == 3
            assert limit.status() == {"limit": "3 per 1 hour", "counted_by": "process", "error": limit.error}
            assert limit.error
        finally:
            admin.config_set("maxmemory", "0")
        assert await limit.seconds_left("other") == 0
        assert limit.status() == {"limit": "3 per 1 hour", "counted_by": "redis", "error": None}


async def test_the_end_of_a_window_in_redis_is_told_to_the_second(redis_url: str) -> None:
    first, second = RateLimit("2/minute", redis_url), RateLimit("2/minute", redis_url)
    assert await passing(first, 1) + await passing(second, 1) == 2
    for limit in (first, second):
        assert MINUTE - 5 < await limit.seconds_left("acme") <= MINUTE + 1


async def test_status_and_metrics_say_who_counts(serve: Serve, hung: str) -> None:
    api = await serve(rate_limit="4/day", redis_url=hung, streams=())
    assert (await api.get("/status")).body["rate_limit"]["counted_by"] == "redis"
    assert [(await api.get()).status for _ in range(6)] == [200] * 4 + [429] * 2
    answer = await api.get()
    assert answer.error["message"] == f"try again in {answer.headers['Retry-After']} s"
    told = (await api.get("/status")).body["rate_limit"]
    assert (told["limit"], told["counted_by"]) == ("4 per 1 day", "process")
    assert told["error"]
    assert named(await samples(api), "ims_rate_limit_fallback") == 1


async def test_an_address_that_is_refused_too_often_is_refused_without_a_look(serve: Serve) -> None:
    api = await serve(anonymous_rate_limit="3/day")
    assert (await api.get()).status == 200
    spoofed = [{"X-Forwarded-For": f"1.2.3.{number}"} for number in range(5)]
    statuses = [(await api.get(at(ABSENT_ID), authorized=False, headers=headers)).status for headers in spoofed]
    assert statuses == [401] * 3 + [429] * 2
    for authorization in ("", "Bearer x", "Basic x", api.by("new").authorization["Authorization"]):
        answer = await api.get(authorized=False, headers={"Authorization": authorization})
        answer.refused(429, "RATE_LIMITED")
        assert 0 < int(answer.headers["Retry-After"]) <= 86_400
    assert (await api.get()).status == 200, "whose token is known, is not meant"
    assert (await api.get("/livez", authorized=False)).status == 200


async def test_behind_a_proxy_it_is_the_address_that_the_proxy_heard(serve: Serve) -> None:
    api = await serve(anonymous_rate_limit="1/day", trusted_proxies="127.0.0.0/8,10.0.0.0/8")

    async def asked(*forwarded: str) -> int:
        lines = [("X-Forwarded-For", line) for line in forwarded]
        return (await api.get(authorized=False, headers=lines)).status

    assert [await asked("9.9.9.9, 1.1.1.1"), await asked("8.8.8.8, 1.1.1.1")] == [401, 429]
    assert [await asked("1.1.1.1", "2.2.2.2, 10.0.0.7"), await asked("2.2.2.2")] == [401, 429]


def test_the_last_address_that_is_no_proxys_counts() -> None:
    limit = AnonymousLimit("1/day", [ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
    for peer, forwarded, address in (
        ("1.2.3.4", ["5.6.7.8"], "1.2.3.4"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["5.6.7.8"], "5.6.7.8"),
        ("::ffff:10.0.0.1", ["5.6.7.8:1234"], "5.6.7.8"),
        ("10.0.0.1", ["5.6.7.8, 9.9.9.9", "10.1.1.1, 10.2.2.2"], "9.9.9.9"),
        ("10.0.0.1", ["5.6.7.8, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["5.6.7.8, unknown, 10.3.3.3"], "10.3.3.3"),
        ("10.0.0.1", ["", " , "], "10.0.0.1"),
        ("fd00::1", ["[2001:db8:1:2::3]:443"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", [], "2001:db8:1:2::/64"),
        (None, ["5.6.7.8"], "None"),
    ):
        assert limit.address_of(peer, forwarded) == address, (peer, forwarded)


def test_an_address_may_try_again_when_its_window_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anonymous_limit, "MAX_ADDRESSES", 2)
    now = 1_000.0
    limit = AnonymousLimit("2/minute", [], lambda: now)
    limit.count("a")
    assert limit.seconds_left("a") == 0
    now += 10
    limit.count("a")
    assert limit.seconds_left("a") == MINUTE - 10
    now += MINUTE - 10
    assert limit.seconds_left("a") == 0
    for address in ("a", "b", "c", "b", "c"):
        limit.count(address)
    assert [limit.seconds_left(address) for address in "abc"] == [0, MINUTE, MINUTE]


@pytest.mark.parametrize(
    ("name", "value"),
    [("anonymous_rate_limit", value) for value in ("5", "0/minute", "5/fortnight", "-1/second", "x")]
    + [("trusted_proxies", value) for value in ("10.0.0.0/33", "proxy", "10.0.0.1/8")],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"IMS_{name.upper()}", value)
    with pytest.raises(InvalidSettings, match=f"^IMS_{name.upper()}: "):
        load_settings()


def test_off_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMS_ANONYMOUS_RATE_LIMIT", "off")
    assert AnonymousLimit(load_settings().anonymous_rate_limit, []).off


async def test_a_tenant_that_is_over_is_told_the_same_second_by_message_and_header(serve: Serve) -> None:
    api: Api = await serve(rate_limit="1/minute")
    assert (await api.get()).status == 200
    answer = await api.get(PATH)
    error = answer.refused(429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["Retry-After"]) <= MINUTE
    assert error["message"] == f"try again in {answer.headers['Retry-After']} s"
