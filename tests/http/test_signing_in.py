"""What a client is told who is not let in, or may not do it: status, code, `WWW-Authenticate`, and what would do."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.auth.challenge import challenge
from service.http.protocol import MAX_HEADERS, MAX_LINE
from service.http.routes import ROUTES
from tests.http.api import ABSENT_ID, PATH, Answer, Api, at, incident
from tests.http.conftest import Serve
from tests.http.test_malformed_http import exchange
from tests.servers.issuer import AUDIENCE, OidcIssuer

CHALLENGE = re.compile(r'Bearer error="(\w+)", error_description="([ !#-\[\]-~]+)"(?:, scope="([!#-\[\]-~ ]+)")?')
NOISE = ("viewer", "offline_access", "default-roles-x", "uma_authorization")


@pytest.fixture
async def issuer() -> AsyncIterator[OidcIssuer]:
    async with OidcIssuer() as issuer:
        yield issuer


def told(answer: Answer) -> tuple[str, str | None]:
    """The error and the scopes that WWW-Authenticate names; the description is the answer's message."""
    found = CHALLENGE.fullmatch(answer.headers["WWW-Authenticate"])
    assert found is not None, answer.headers["WWW-Authenticate"]
    if answer.body["message"].isascii():
        assert found[2] == answer.body["message"][:200].replace('"', "?").replace("\\", "?")
    return found[1], found[3]


async def asked(api: Api, authorization: str, method: str = "GET", path: str = PATH, **options: Any) -> Answer:
    return await api.send(method, path, authorized=False, headers={"Authorization": authorization}, **options)


async def test_who_sends_no_token_is_told_no_error(api: Api) -> None:
    for header in ("", "Basic dTpw", "Bearer", "Bearer ", "Bearer\tx"):
        answer = await asked(api, header)
        answer.refused(401, "TOKEN_MISSING")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    token = api.authorization["Authorization"].removeprefix("Bearer ")
    (await api.get(f"{PATH}?access_token={token}", authorized=False)).refused(401, "TOKEN_MISSING")


async def test_a_header_that_is_none_is_an_invalid_request(api: Api) -> None:
    good = api.authorization["Authorization"]
    for header in (f"{good} x", "Bearer é", f"{good}, {good}"):
        answer = await asked(api, header)
        answer.refused(401, "TOKEN_INVALID")
        assert told(answer) == ("invalid_request", None)
    answer = await api.get(headers=[("Authorization", good)])
    answer.refused(401, "TOKEN_INVALID")
    assert told(answer) == ("invalid_request", None)


async def test_two_headers_are_refused_even_where_either_is_known(api: Api) -> None:
    good = api.authorization["Authorization"]
    for path in (PATH, at(ABSENT_ID), "/v1/events", "/v1/nowhere"):
        assert (await api.get(path)).status in (200, 404)  # from now on it is known
        for first, second in ((good, good), (good, "Bearer x"), ("Bearer x", good), (good, ""), ("", good)):
            headers = [("Authorization", first), ("Authorization", second)]
            answer = await api.get(path, authorized=False, headers=headers)
            answer.refused(401, "TOKEN_INVALID")
            assert told(answer) == ("invalid_request", None)


async def test_a_token_that_is_not_taken_is_told_why(serve: Serve, issuer: OidcIssuer) -> None:
    api = await serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"exp": 1}, "TOKEN_EXPIRED"),
        ({"aud": "other"}, "TOKEN_INVALID"),
        ({"typ": "ID"}, "TOKEN_INVALID"),
        ({"active_tenant": {}}, "TENANT_MISSING"),
        ({"active_tenant": {"tenant_id": ["b", 'a"\\c']}}, "TOKEN_INVALID"),
        ({"active_tenant": {"tenant_id": ["a", "é\r\nX: y"]}}, "TOKEN_INVALID"),
    ]
    for claims, code in refused:
        answer = await asked(api, issuer.bearer(**claims))
        answer.refused(401, code)
        assert told(answer) == ("invalid_token", None)
        assert "X" not in answer.headers
    assert told(await asked(api, "Bearer a.b.c")) == ("invalid_token", None)


def test_a_description_holds_what_may_stand_there_alone() -> None:
    text = challenge("invalid_token", 'a "b" \\c\r\nX: é' + "x" * 300)
    assert CHALLENGE.fullmatch(text)
    assert len(text) < 300


async def test_a_scope_that_is_missing_is_named(serve: Serve, issuer: OidcIssuer) -> None:
    required = "incidents,openid"
    api = await serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, oidc_required_scopes=required)
    answer = await asked(api, issuer.bearer(scope="openid"))
    answer.refused(403, "SCOPE_MISSING")
    assert told(answer) == ("insufficient_scope", "incidents openid")
    assert told(await asked(api, issuer.bearer())) == ("invalid_token", None)
    assert (await asked(api, issuer.bearer(scope="openid incidents"))).status == 200


async def test_nobody_writes_whose_role_is_not_named(serve: Serve) -> None:
    api = await serve(writer_roles=("editor",), read_only_roles=("viewer",))
    editor = api.by("ed", roles=("editor", *NOISE))
    id = (await editor.report())["id"]
    needed = {"define": "IMS_DEPLOYER_ROLES", "erase": "IMS_ERASER_ROLES", "write": "IMS_WRITER_ROLES"}
    for roles in ((), ("viewer",), NOISE, NOISE[1:], ("Editor",)):
        reader = api.by("eve", roles=roles)
        for route in ROUTES:
            path = re.sub(r"{\w+}", ABSENT_ID, route.path.replace("{name}", "count"))
            if route.role in needed:
                answer = await reader.send(route.method, path, {})
                answer.refused(403, "FORBIDDEN")
                assert told(answer) == ("insufficient_scope", None)
                assert needed[route.role] in answer.body["message"], route
        assert (await reader.get(at(id))).data["occ_lock"] == 0
    for writer in (("editor",), ("tenant-admin",), ("system-admin", "viewer")):
        assert (await api.by(roles=writer).post(PATH, incident())).status == 201
    eraser = api.by("era", roles=("eraser",))
    (await eraser.post(PATH, incident())).refused(403, "FORBIDDEN")
    erasure = {"fields": ["name"], "reason": "An order."}
    assert (await eraser.post(at(id, "erase"), erasure)).status == 200


class TestLongHeaders:
    async def test_a_token_of_many_groups_is_taken(self, serve: Serve, issuer: OidcIssuer) -> None:
        api = await serve(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, roles_claim="groups")
        for groups in (120, 580):
            token = issuer.bearer(groups=[f"{n:032x}" for n in range(groups)])
            assert len(token) > (5_000 if groups == 120 else 25_000)
            assert len("Authorization") + len(token) <= 32_768
            assert (await asked(api, token)).status == 200

    async def test_one_over_the_limit_is_named(self, serve: Serve) -> None:
        api = await serve(max_header_size=10_000)
        good = f"Authorization: {api.authorization['Authorization']}\r\n"
        for name, size in (("Authorization", 10_100), ("authorization", 40_000), ("X-Own", 100_000), ("A", 10_100)):
            line = f"{name}: Bearer ".ljust(size + 2, "a")
            head = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n"
            for sent in (f"{head}{line}\r\n{good}\r\n", f"{head}{good}{line}\r\n\r\n"):
                answer = Raw(await exchange(api, sent.encode()))
                assert answer.status == 431
                assert (answer.code, answer.field) == ("HEADER_TOO_LARGE", name)
                assert "10000 bytes" in answer.text
                assert "aaaa" not in answer.text

    async def test_it_is_named_however_it_comes_in(self, serve: Serve) -> None:
        api = await serve(max_header_size=10_000)
        reader, writer = await asyncio.open_connection(str(api.client.server.host), api.client.server.port)
        whole = api.authorization["Authorization"]
        body = b'{"name": 1}'
        first = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {whole}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(first.encode() + body)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"}")
        text = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nX-Own: ".encode()
        end = b"a" * 4_000 + b"\r\nCookie: " + b"b" * 6_000
        for part in (text[:-9], text[-9:-4], text[-4:], b"a" * 4_000, b"a" * 5_900, end):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        received = await reader.read()
        writer.close()
        answer = Raw(received[received.index(b"HTTP/1.0 431") :])
        assert (answer.status, answer.field) == (431, "X-Own")

    async def test_what_cannot_be_named_is_refused_all_the_same(self, api: Api) -> None:
        head = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n".encode()
        for sent in (
            head + b"a" * 40_000 + b": x\r\n\r\n",
            head + b"".join(b"X%d: a\r\n" % n for n in range(MAX_HEADERS + 1)) + b"\r\n",
            head + b"".join(b"X%d: %b\r\n" % (n, b"a" * 1_000) for n in range(70)) + b"\r\n",
            head + b"".join(b"X%d: %b\r\n" % (n, b"a" * 30_000) for n in range(3)),
        ):
            answer = Raw(await exchange(api, sent))
            assert (answer.status, answer.code, answer.field) == (431, "HEADER_TOO_LARGE", None)

    async def test_a_long_address_is_another_thing(self, api: Api) -> None:
        good = f"Host: x\r\nConnection: close\r\nAuthorization: {api.authorization['Authorization']}\r\n\r\n"
        fits = f"GET {PATH}?q=a&" + "&" * (MAX_LINE - len(PATH) - 5)
        assert Raw(await exchange(api, f"{fits} HTTP/1.1\r\n{good}".encode())).status == 200
        for target in ("&" * 10, "&" * 100_000):
            answer = Raw(await exchange(api, f"{fits}{target} HTTP/1.1\r\n{good}".encode()))
            assert (answer.status, answer.code) == (414, "URI_TOO_LONG")


class Raw:
    """An answer as it comes over the socket."""

    def __init__(self, received: bytes) -> None:
        head, _, body = received.partition(b"\r\n\r\n")
        self.status, self.text = int(head.split()[1]), body.decode()
        self.code, self.field = None, None
        if self.status >= 400:
            (error,) = Answer("GET", self.status, None, body).body["errors"]  # type: ignore[arg-type]
            self.code, self.field = error["code"], error.get("field")
