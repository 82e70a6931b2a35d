"""What is refused goes the short way too: the client gets what aiohttp's own way gives, which an escaped path takes."""

import pytest

from tests.http.api import ABSENT_ID, Answer, Api, at
from tests.http.conftest import Serve

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND")
ONE = at(ABSENT_ID)
PATHS = (
    "/v1", "/v1/", "/v1/nothing", "/v1/incident/", "/v1//incident", "/V1/incident", "/v1/incident/hello",
    "/v1/incident/%63odes", "/v1/incident/codes", "/v1/incident/codes/", "/v1/incident/attributes/count",
    "/v1/incident/attributes/9", ONE, f"{ONE}/", f"{ONE}x", f"{ONE}/nothing", f"{ONE}/history", f"{ONE}/attributes/a",
    f"{ONE}/comments/{ABSENT_ID}", f"{ONE}/comments/x", f"{ONE}/comments/{ABSENT_ID}/erase", f"{ONE}%2Fhistory",
    f"{ONE}?x=1", "/v1/incident/codes?x=1", "/v1/audit/proof/1", "/v1/audit/proof/x", "/livez", "/livez/",
    "/favicon.ico", "/docs/nothing", "/v1/incident/../incident/codes", "/v1/incident/%C3%A9", "/v1/incident/a%ZZ",
)  # fmt: skip
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OWN = ("Date", "Content-Length")


@pytest.fixture(params=["as it is", "pages of other origins"])
async def asked(serve: Serve, request: pytest.FixtureRequest) -> Api:
    return await serve(cors_origins=() if request.param == "as it is" else ("https://a.example",))


async def test_a_refusal_says_the_same_by_either_way(asked: Api) -> None:
    refused = 0
    for path in PATHS:
        for method in METHODS:
            for authorized in (True, False):
                short = await sent(asked, method, path, authorized=authorized)
                long = await sent(asked, method, escaped(path), authorized=authorized)
                assert told(short) == told(long), f"{method} {path}"
                refused += short.status >= 400
    assert refused > len(PATHS) * len(METHODS)


@pytest.mark.parametrize("path", ["/v1/nothing", "/nothing", at(ABSENT_ID, "nothing")])
async def test_an_expectation_of_what_is_not_there_changes_nothing(api: Api, path: str) -> None:
    (await api.get(path, headers={"Expect": "a miracle"})).refused(404, "NOT_FOUND")


def escaped(path: str) -> str:
    """The same path; its first letter is written as its code."""
    return f"/%{ord(path[1]):02x}{path[2:]}"


async def sent(api: Api, method: str, path: str, *, authorized: bool) -> Answer:
    headers = {"traceparent": TRACEPARENT, "Origin": "https://a.example"}
    return await api.send(method, path, authorized=authorized, headers=headers)


def told(answer: Answer) -> tuple[int, dict[str, str], object]:
    """All but when it was said."""
    headers = {name: value for name, value in answer.headers.items() if name not in OWN}
    body = answer.body if answer.raw and answer.status >= 400 else None
    return answer.status, headers, {**body, "sent_at": ""} if isinstance(body, dict) else body
