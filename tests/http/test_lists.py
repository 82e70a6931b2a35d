"""Lists: all of them, pages, sorting, and the cursor."""

import asyncio
import base64
import itertools
import socket
from contextlib import suppress
from typing import Any

import asyncpg
import orjson

from projections.folding import key_of as folded
from projections.generations import Generation
from projections.pages import CHUNK
from projections.read_models import VERSION
from tests.http.api import PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines

SORTABLE = (
    "created_at", "updated_at", "date", "name", "status", "type", "severity", "reported_by", "next_update"
)  # fmt: skip
TEXTS = ("a", "B", "é", "Z", "\ufffd", "\U0001f600", "a b", "_", "a")


async def reported(api: Api, many: int, **members: Any) -> list[str]:
    answers = await asyncio.gather(*(api.post(PATH, incident(name=f"N{n}", **members)) for n in range(many)))
    return [answer.data["id"] for answer in answers]


async def varied(api: Api) -> list[dict[str, Any]]:
    """Incidents that differ in every member that can be sorted by, and some that do not."""
    codes = itertools.cycle([("NEW", "OTHERS", ""), ("OPEN", "SECURITY", "LOW"), ("CLOSED", "OTHERS", "HIGH")])
    for n, (text, (status, kind, severity)) in enumerate(zip(TEXTS, codes, strict=False)):
        date = f"2024-11-11T{10 + n % 3}:00:00{('Z', '+02:00', '-11:00')[n % 3]}"
        created = await api.report(
            name=text, reported_by=text, status=status, type=kind, severity=severity, next_update=n % 4, date=date
        )
        if n % 4 == 0:
            await api.patch(at(created["id"]), {"location": "Hall"})
    found: list[dict[str, Any]] = (await api.get()).data["incidents"]
    return found


def key_of(found: dict[str, Any], field: str) -> Any:
    if field == "date":
        hour, offset = int(found["date"][11:13]), found["date"][19:]
        return hour - {"Z": 0, "+02:00": 2, "-11:00": -11}[offset]
    return folded(found[field]) if field in ("name", "reported_by") else found[field]


@both_engines
async def test_a_list_without_a_page_is_all_of_it_however_long(api: Api) -> None:
    assert (await api.get()).data == {"incidents": [], "total": 0}
    ids = await reported(api, 2 * CHUNK + 100)
    answer = await api.get()
    assert answer.data["total"] == len(ids)
    assert sorted(found["id"] for found in answer.data["incidents"]) == sorted(ids)
    times = [found["created_at"] for found in answer.data["incidents"]]
    assert times == sorted(times, reverse=True)
    head = await api.send("HEAD", PATH)
    assert (head.status, head.raw, head.headers.get("Content-Length")) == (200, b"", None)


@both_engines
async def test_a_slow_reader_holds_no_connection_and_a_list_that_fails_is_cut(
    serve: Serve, engine: str, database_url: str
) -> None:
    api = await serve(database_pool=1, database_timeout=30.0, read_timeout=30.0)
    await reported(api, 3 * CHUNK + 1, description="x" * 10_000)
    await api.get(f"{PATH}?page=1")
    slow = [await asked_slowly(api, path) for path in (PATH, f"{PATH}?format=csv")]
    assert len(await api.ids("?page=1")) == 10
    table = f"incidents{Generation(VERSION, 1).suffix}"
    if engine == "sqlite":
        await api.parts.database.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    else:
        connection = await asyncpg.connect(database_url)
        await connection.execute(f"ALTER TABLE ims.{table} RENAME TO elsewhere")
        await connection.close()
    for reader, writer in slow:
        rest = bytearray()
        with suppress(ConnectionResetError):
            while part := await reader.read(2**16):
                rest += part
        assert len(rest) > CHUNK * 10_000
        assert b'"total"' not in rest
        assert not rest.endswith(b"0\r\n\r\n")
        writer.close()


async def asked_slowly(api: Api, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Up to the head of the answer, whose body has no length."""
    reader, writer = await with_small_buffers(api)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {api.authorization['Authorization']}\r\n\r\n".encode()
    )
    received = await reader.readuntil(b"\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Transfer-Encoding: chunked\r\n" in received
    return reader, writer


async def with_small_buffers(api: Api) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which little is under way, so that the service notices a reader that waits."""
    server = api.client.server
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    end.setblocking(False)
    await asyncio.get_running_loop().sock_connect(end, (str(server.host), server.port))
    return await asyncio.open_connection(sock=end, limit=4096)


@both_engines
async def test_pages_follow_each_other_and_tell_where_they_are(api: Api) -> None:
    ids = [(await api.report(name=f"N{n}"))["id"] for n in range(23)][::-1]
    answer = await api.get(f"{PATH}?page=1")
    assert list(answer.body) == ["data", "page", "sent_at"]
    assert answer.body["page"] == {
        "number": 1, "size": 10, "total_records": 23, "count": 10, "sort": ["created_at,desc"]
    }  # fmt: skip
    assert answer.data["total"] == 23
    assert await api.ids("?page=1") == await api.ids("?size=10") == ids[:10]
    assert await api.ids("?page=3") == ids[20:]
    assert await api.ids("?page=2&size=20") == ids[20:]
    assert await api.ids("?size=1000") == ids
    beyond = await api.get(f"{PATH}?page=4&size=10")
    assert (beyond.status, beyond.data) == (200, {"incidents": [], "total": 23})
    assert beyond.body["page"]["count"] == 0
    assert (await api.get(f"{PATH}?page=1000000000&size=1000")).data["incidents"] == []


async def test_a_page_or_size_of_another_form_is_refused(api: Api) -> None:
    for text in ("0", "-1", "1.0", "x", "", "%D9%A1", "+1", "1e3", "99999999999"):
        (await api.get(f"{PATH}?page={text}")).refused(400, "PARAMETER_INVALID", "page")
        (await api.get(f"{PATH}?size={text}")).refused(400, "PARAMETER_INVALID", "size")
    (await api.get(f"{PATH}?size=1001")).refused(400, "PARAMETER_INVALID", "size")
    (await api.get(f"{PATH}?page=1&page=1")).refused(400, "PARAMETER_REPEATED", "page")
    (await api.get(f"{PATH}?page=1&cursor=")).refused(400, "PARAMETER_INVALID", "cursor")
    (await api.get(f"{PATH}?limit=1")).refused(400, "PARAMETER_UNKNOWN", "limit")


@both_engines
async def test_lists_are_sorted_by_any_of_these_members_and_ties_by_id(api: Api) -> None:
    everything = await varied(api)
    for field in SORTABLE:
        rising = sorted(everything, key=lambda found: found["id"])
        rising.sort(key=lambda found, field=field: key_of(found, field))  # type: ignore[misc]
        falling = sorted(everything, key=lambda found: found["id"])
        falling.sort(key=lambda found, field=field: key_of(found, field), reverse=True)  # type: ignore[misc]
        for direction, expected in ((",asc", rising), (",desc", falling), ("", falling)):
            for more in ("", "&page=1&size=100", "&cursor=&size=100"):
                answer = await api.get(f"{PATH}?sort={field}{direction}{more}")
                assert answer.data["incidents"] == expected, (field, direction, more)


@both_engines
async def test_lists_are_sorted_by_several_members(api: Api) -> None:
    everything = await varied(api)
    expected = sorted(everything, key=lambda found: found["id"])
    expected.sort(key=lambda found: key_of(found, "name"), reverse=True)
    expected.sort(key=lambda found: found["next_update"])
    expected.sort(key=lambda found: found["status"], reverse=True)
    answer = await api.get(f"{PATH}?sort=status&sort=next_update,asc&sort=name,desc&page=1&size=50")
    assert answer.data["incidents"] == expected
    assert answer.body["page"]["sort"] == ["status,desc", "next_update,asc", "name,desc"]


async def test_a_sort_of_another_form_is_refused(api: Api) -> None:
    for text in ("", "id", "colour", "name,up", "name,asc,desc", "name,", "description", "Name", "name%20", ",asc"):
        if text != "name,":
            (await api.get(f"{PATH}?sort={text}")).refused(400, "PARAMETER_INVALID", "sort")
    (await api.get(f"{PATH}?sort=name&sort=name,asc")).refused(400, "PARAMETER_INVALID", "sort")


async def walked(api: Api, query: str, size: int) -> list[dict[str, Any]]:
    """All that the cursor leads to."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await api.get(f"{PATH}?{query}&size={size}&cursor={cursor}")
        found += answer.data["incidents"]
        place = answer.body["page"]
        assert (place["size"], place["count"]) == (size, len(answer.data["incidents"]))
        if "next" not in place:
            return found
        assert place["count"] == size
        cursor = place["next"]


@both_engines
async def test_a_cursor_leads_through_all_of_any_list(api: Api) -> None:
    await varied(api)
    for query in (*(f"sort={field}" for field in SORTABLE), "sort=name,asc", "sort=severity&sort=next_update,asc"):
        expected = (await api.get(f"{PATH}?{query}")).data["incidents"]
        for size in (1, 4, 9):
            assert await walked(api, query, size) == expected, (query, size)
    filtered = (await api.get(f"{PATH}?type=OTHERS")).data["incidents"]
    assert await walked(api, "type=OTHERS", 2) == filtered
    assert await walked(api, "type=MAINTENANCE", 2) == []


@both_engines
async def test_an_incident_whose_sort_key_did_not_change_meanwhile_appears_exactly_once(api: Api) -> None:
    ids = [(await api.report(name=f"N{n:02}"))["id"] for n in range(20)]
    seen: list[str] = []
    cursor = ""
    for step in itertools.count():
        answer = await api.get(f"{PATH}?sort=name,asc&size=3&cursor={cursor}")
        seen += [found["id"] for found in answer.data["incidents"]]
        if "next" not in answer.body["page"]:
            break
        cursor = answer.body["page"]["next"]
        await api.report(name=f"N{step:02}")
        await api.patch(at(ids[(step * 7) % 20]), {"description": f"Edited {step}.", "status": "OPEN"})
    assert [seen.count(id) for id in ids] == [1] * 20


async def test_a_cursor_may_hold_the_longest_sort_keys(api: Api) -> None:
    await api.report(name="\x01" * 199 + "a", reported_by="\x02" * 199 + "z")
    await api.report(name="\x01" * 199 + "b", reported_by="\x02" * 199 + "z")
    await api.report(name="\U0001f600" * 200, reported_by="\U0001f600" * 200)
    await api.report(name="\U00020000" * 200, reported_by="\ufdfa" * 200)  # the second stands for 18 letters each
    await api.report(name="\U00020000" * 200, reported_by="\ufdfa" * 199)
    assert len(await walked(api, "sort=name,asc&sort=reported_by", 1)) == 5


async def test_a_cursor_is_of_its_tenant_filter_and_sort(api: Api) -> None:
    for tenant in ("acme", "other"):
        for n in range(3):
            await api.by(tenant=tenant).report(name=f"N{n}")
    cursor = (await api.get(f"{PATH}?cursor=&size=1")).body["page"]["next"]
    assert (await api.get(f"{PATH}?cursor={cursor}&size=2")).status == 200
    assert (await api.by("bob").get(f"{PATH}?cursor={cursor}")).status == 200
    for query in ("&sort=created_at,asc", "&sort=updated_at", "&sort=name", "&status=NEW", "&q=x", "&backdated=false"):
        (await api.get(f"{PATH}?cursor={cursor}{query}")).refused(400, "CURSOR_INVALID", "cursor")
    (await api.by(tenant="other").get(f"{PATH}?cursor={cursor}")).refused(400, "CURSOR_INVALID", "cursor")


@both_engines
async def test_a_cursor_that_was_made_up_is_refused(api: Api) -> None:
    for n in range(3):
        await api.report(name=f"N{n}")
    path = f"{PATH}?sort=next_update&sort=name&cursor="
    cursor = (await api.get(f"{path}&size=1")).body["page"]["next"]
    keys = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    forged: list[Any] = [
        keys[:-1], [*keys, 1], keys[0], {}, None, 1, "x", [], [[]], [keys[0], "0", *keys[2:]],
        [keys[0], 1.5, *keys[2:]],
        [keys[0], True, *keys[2:]], [keys[0], None, *keys[2:]], [keys[0], 2**63, *keys[2:]],
        [keys[0], -(2**63), *keys[2:]], [keys[0], keys[1], 7, keys[3]], [keys[0], keys[1], "\0", keys[3]],
        [keys[0], keys[1], keys[2], []], ["0" * 16, *keys[1:]],
    ]  # fmt: skip
    texts = [base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=") for value in forged]
    texts += ["x", "%00", "%ff", "%D9%A0", "!!!!", "a" * 7000, cursor[:-3], cursor + cursor, "bnVsbA", "Infinity"]
    for text in texts:
        (await api.get(f"{path}{text}")).refused(400, "CURSOR_INVALID", "cursor") if text != "%00" else (
            await api.get(f"{path}{text}")
        ).refused(400, "PARAMETER_INVALID", "cursor")
    harmless = [keys[0], keys[1], "' OR 1=1 --", "x"]
    text = base64.urlsafe_b64encode(orjson.dumps(harmless)).decode()
    assert (await api.get(f"{path}{text}")).status == 200
