"""304 and 204 say nothing of a body that is not there (RFC 9110, 15.3.5 and 15.4.5), HEAD all that GET says."""

import asyncio
from collections.abc import Mapping

from tests.http.api import PATH, Api, at
from tests.http.conftest import Serve

ORIGIN = "https://page.example"
OF_A_BODY = {"content-type", "content-length", "transfer-encoding", "content-encoding"}
WAYS: dict[str, dict[str, str]] = {
    "as most do": {},
    "on a connection that closes": {"Connection": "close"},
    "from a page of another origin": {"Origin": ORIGIN},
}


async def head_of(api: Api, request: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and whatever follows them, as they stand on the wire."""
    host, port = str(api.client.host), int(api.client.port or 0)
    reader, writer = await asyncio.open_connection(host, port)
    lines = [f"{name}: {value}" for name, value in ({"Host": host} | api.authorization | dict(headers)).items()]
    # The next request's answer shows where this one ends.
    following = "" if "Connection" in headers else f"GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    writer.write(("\r\n".join([request, *lines, "", ""]) + following).encode())
    status, *found = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    rest = await reader.read()
    writer.close()
    return int(status.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in found if line)}, rest


def is_next(rest: bytes, *, closed: bool) -> bool:
    return rest == b"" if closed else rest.startswith(b"HTTP/1.1 200 OK")


async def test_who_has_the_version_gets_no_word_of_a_body(serve: Serve) -> None:
    api = await serve(cors_origins=(ORIGIN,))
    path, document = at((await api.report())["id"]), (await api.get("/openapi.json")).headers["ETag"]
    script = (await api.get("/docs/docs.js")).headers["ETag"]
    for method in ("GET", "HEAD"):
        for target, tag in ((path, '"0"'), ("/openapi.json", document), ("/docs/docs.js", script)):
            for way in WAYS.values():
                request = f"{method} {target} HTTP/1.1"
                status, headers, rest = await head_of(api, request, {"If-None-Match": tag, **way})
                assert (status, headers.get("etag")) == (304, tag), (request, way, headers)
                assert OF_A_BODY & headers.keys() == set(), (request, way)
                assert {"date", "cache-control", "vary"} <= headers.keys()
                assert is_next(rest, closed="Connection" in way), (request, rest)
                assert ("access-control-allow-origin" in headers) == ("Origin" in way)


async def test_an_answer_to_a_preflight_says_nothing_of_a_body_either(serve: Serve) -> None:
    api = await serve(cors_origins=(ORIGIN,))
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    status, headers, rest = await head_of(api, f"OPTIONS {PATH} HTTP/1.1", asked)
    assert status == 204
    assert OF_A_BODY & headers.keys() == set()
    assert is_next(rest, closed=False)


async def test_head_says_what_get_says_and_sends_nothing(api: Api) -> None:
    path = at((await api.report())["id"])
    for target in (
        path,
        PATH,
        f"{PATH}?size=1",
        f"{PATH}/counts",
        "/v1/events",
        "/openapi.json",
        "/v1/nothing",
        "/livez",
    ):
        _, told, _ = await head_of(api, f"GET {target} HTTP/1.1", {})
        status, headers, rest = await head_of(api, f"HEAD {target} HTTP/1.1", {})
        unlike = {"date"}
        assert {k: v for k, v in headers.items() if k not in unlike} == {
            k: v for k, v in told.items() if k not in unlike
        }
        assert {"content-type", "content-length"} <= headers.keys(), target
        assert status == (404 if "nothing" in target else 200)
        assert is_next(rest, closed=False), rest
