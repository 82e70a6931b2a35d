"""What may stand in `IMS_REDIS_URL`, and that everything here speaks to the database it names."""

import pytest
from redis import Redis

from service.rate_limit import RateLimit
from service.settings import InvalidSettings, load_settings
from service.streams.address import parse
from service.streams.wire import Wire
from tests.servers.redis import RedisServer
from tests.servers.sentinel import Sentinel

SECRET = "s3cr"


def refusal(url: str) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load_settings(redis_url=url)
    text = str(refused.value)
    assert text.startswith("IMS_REDIS_URL: ")
    assert len(text.splitlines()) == 1
    return text


@pytest.mark.parametrize(
    ("url", "hosts", "master", "db", "tls"),
    [
        ("redis://h", (("h", 6379),), "", 0, False),
        ("redis://h/2", (("h", 6379),), "", 2, False),
        ("redis://h?db=2", (("h", 6379),), "", 2, False),
        ("redis://h/2?db=2", (("h", 6379),), "", 2, False),
        ("rediss://[::1]:7000/?db=3", (("::1", 7000),), "", 3, True),
        ("valkey://h/1", (("h", 6379),), "", 1, False),
        ("valkeys://h", (("h", 6379),), "", 0, True),
        ("VALKEY+sentinel://a,b:1/m", (("a", 26379), ("b", 1)), "m", 0, False),
        ("redis+sentinel://a,b:1/m/4", (("a", 26379), ("b", 1)), "m", 4, False),
        ("rediss+sentinel://a/m?db=4", (("a", 26379),), "m", 4, True),
    ],
)
def test_an_address_is_taken_apart(
    url: str, hosts: tuple[tuple[str, int], ...], master: str, db: int, tls: bool
) -> None:
    found = parse(load_settings(redis_url=f" {url}\n").redis_url)
    assert (found.hosts, found.master, found.db, found.tls) == (hosts, master, db, tls)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://h", "begin with redis://, rediss://, redis+sentinel:// or rediss+sentinel://"),
        ("h:6379", "begin with"),
        ("unix:///run/redis.sock", "a socket's path is not taken"),
        ("redis+unix:///run/redis.sock", "a socket's path is not taken"),
        ("redis+socket:///run/redis.sock", "a socket's path is not taken"),
        ("redis+cluster://h", "name one node of a cluster as any server"),
        ("redis:///2", "a host is missing"),
        ("redis://a,b", "only sentinels can be several"),
        ("redis://h/two", "the number of a database is wanted"),
        ("redis://h?db=two", "the number of a database is wanted"),
        ("redis://h/1/2", "more stands in the path"),
        ("redis://h/1?db=2", "two different databases"),
        ("redis+sentinel://h", "name the master"),
        ("redis+sentinel://h/m/1?db=2", "two different databases"),
        ("redis://h?socket_timeout=5", "socket_timeout: IMS_REDIS_TIMEOUT says it; what may stand there: db"),
        ("rediss://h?ssl_ca_certs=/ca.pem", "ssl_ca_certs: IMS_REDIS_CA_FILE says it"),
        ("rediss://h?ssl_cert_reqs=none", "ssl_cert_reqs: rediss:// is TLS, and its certificate is verified"),
        ("redis://h?protocol=3", "protocol: there is no such parameter; what may stand there: db"),
        ("redis://h?db=1&db=2", "db stands twice"),
        ("redis://h:0", "a port is a number"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_its_name(url: str, said: str) -> None:
    assert said in refusal(url)


@pytest.mark.parametrize("reserved", ["/", "#", "?", "[", "]", "@", ":", "%"])
@pytest.mark.parametrize("form", [":{0}{1}x9y@h:6379/0", "u:{0}{1}x=9y@h", "u:12{1}{0}=x@h/1?db=1"])
def test_a_reserved_character_in_a_password_is_refused_and_the_password_not_shown(reserved: str, form: str) -> None:
    said = refusal("redis://" + form.format(SECRET, reserved))
    assert "percent-encode" in said
    assert SECRET not in said


def keys(server: RedisServer) -> list[int]:
    """How many each of the databases 0, 1 and 2 has."""
    found = []
    for number in range(3):
        with Redis(port=server.port, db=number) as client:
            found.append(int(client.dbsize()))
    return found


async def write_to(url: str) -> None:
    """As the publisher and the rate limit do: a key each."""
    wire = Wire(parse(url), 5.0)
    await wire.connect()
    await wire.ask([("XADD", "stream", "*", "event", "1")])
    await wire.close()
    limit = RateLimit("5/minute", url)
    assert await limit.seconds_left("acme") == 0


@pytest.mark.parametrize("form", ["redis://127.0.0.1:{port}/2", "redis://127.0.0.1:{port}?db=2"])
async def test_streams_and_rate_limits_go_to_the_database_that_is_named(
    redis_server: RedisServer, redis_url: str, form: str
) -> None:
    await write_to(form.format(port=redis_server.port))
    assert keys(redis_server) == [0, 0, 2]


async def test_they_do_by_way_of_a_sentinel_too(redis_server: RedisServer, redis_url: str) -> None:
    with Sentinel(redis_server) as sentinel:
        await write_to(f"{sentinel.url}?db=1")
    assert keys(redis_server) == [0, 2, 0]


async def test_a_password_with_reserved_characters_is_taken_percent_encoded() -> None:
    with RedisServer(appendonly="no") as server:
        with server.client() as client:
            client.config_set("requirepass", "/#?[@:%")
        await write_to(f"redis://:%2F%23%3F%5B%40%3A%25@127.0.0.1:{server.port}")
        with Redis(port=server.port, password="/#?[@:%") as client:
            assert client.dbsize() == 2
