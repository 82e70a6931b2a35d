"""One answer of each kind, taken before anything is measured: it must be the right one, and `bare` gives it back."""

import http.client
from dataclasses import asdict, dataclass

from tests.bench.load import TIMEOUT
from tests.bench.traffic import Request

# What every server's HTTP library writes by itself.
OWN_HEADERS = {"content-length", "transfer-encoding", "connection", "date", "server"}


class WrongAnswer(Exception):
    """A server does not answer as the contract says, so measuring it would mean nothing."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def answer(port: int, request: Request, token: str, id_: str, n: int, lock: int = 0) -> Answer:
    """Raises WrongAnswer when the status is not the expected one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        headers = {"Authorization": f"Bearer {token}"} | request.headers
        body = request.body.replace("{n}", str(n)).replace("{lock}", str(lock)) or None
        connection.request(request.method, request.target.replace("{id}", id_), body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        if response.status != request.status:
            raise WrongAnswer(f"{request.method} {request.target} on port {port}: {response.status} {text[:500]}")
        kept = {name: value for name, value in response.getheaders() if name.lower() not in OWN_HEADERS}
        return Answer(response.status, kept, text)
    finally:
        connection.close()
