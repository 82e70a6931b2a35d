"""What is not HTTP, or too long for it, is refused in the form of all failures, and the log does not repeat it."""

import json
import socket
from urllib.parse import urlsplit

import jsonschema_rs
import pytest

from tests.schema.document import DOCUMENT
from tests.servers.children import wait_until
from tests.servers.process import ServiceProcess

LOG_SECONDS = 30
SECRET = "c2VjcmV0" * 5_000
REQUESTS = {
    "a long request line": (f"GET /v1/incident?q={SECRET} HTTP/1.1\r\nHost: a\r\n\r\n", 414, "URI_TOO_LONG"),
    "a long header": (
        f"GET /v1/incident HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SECRET}\r\n\r\n",
        431,
        "HEADER_TOO_LARGE",
    ),
    "a header without a name": (
        f"GET /v1/incident HTTP/1.1\r\nHost: a\r\n: {SECRET[:99]}\r\n\r\n",
        400,
        "REQUEST_INVALID",
    ),
    "no HTTP": (f"{SECRET[:99]}\r\n\r\n", 400, "REQUEST_INVALID"),
}


@pytest.mark.parametrize(("request_", "status", "code"), REQUESTS.values(), ids=REQUESTS)
def test_it_is_refused_like_everything_else(request_: str, status: int, code: str, service: ServiceProcess) -> None:
    url = urlsplit(service.url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(request_.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"Content-Type: application/json" in head
    failure = json.loads(body)
    assert [error["code"] for error in failure["errors"]] == [code]
    schema = {"$ref": "#/components/schemas/Failure", "components": DOCUMENT["components"]}
    jsonschema_rs.validate(schema, failure)
    # Of a kind that came a moment ago only how many and the last one are told, a second later.
    wait_until(lambda: failure["trace_id"] in service.logs, service.running, log=service.log, seconds=LOG_SECONDS)
    assert SECRET[:16] not in body.decode() + service.logs
