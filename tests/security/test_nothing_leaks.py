"""Tokens, passwords and what clients send are nowhere but in the log: not in logs, metrics, traces or the status."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout
from yarl import URL

from service.http.routes import ROUTES, Route
from tests.http.api import PATH, incident
from tests.servers.process import ServiceProcess
from tests.tracing.receiver import Collector

SUBMITTED = "zanzibar"
"""In every value that is sent; each has a number behind it."""
PASSWORD = "correct-horse"
ANSWER_SECONDS = 10


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """Where every process sends its traces, soon."""
    collector = Collector()
    await collector.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    yield collector
    await collector.server.close()


def submitted() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"{SUBMITTED}{number}"


async def test_no_secret_and_nothing_submitted_leaves_by_logs_metrics_or_traces(
    start_service: Callable[..., ServiceProcess], postgres_dsn: str, redis_url: str, collector: Collector
) -> None:
    service = start_service(
        database_url=str(URL(postgres_dsn).with_password(PASSWORD)),
        redis_url=str(URL(redis_url).with_user("default").with_password(PASSWORD)),
        log_level="DEBUG",
        rate_limit="off",
    )
    deployer, reader = service.token(roles=["tenant-admin"]), service.token("other", name=f"{SUBMITTED} user")
    timeout = ClientTimeout(total=ANSWER_SECONDS)
    async with ClientSession(service.url, timeout=timeout, headers={"traceparent": "zanzibar"}) as client:
        values = submitted()
        known = await some(client, deployer, values)
        statuses = set()
        for route in ROUTES:
            for call in calls(route, known, values):
                for token in (deployer, reader):
                    statuses.add(await sent(client, token, next(values), *call))
            statuses.add(await sent(client, f"{next(values)}.{next(values)}.x", next(values), *call))
        assert statuses >= {200, 201, 400, 401, 403, 404, 409}, statuses
        async with client.get("/metrics") as answer:
            metrics = await answer.text()
        async with client.get("/status") as answer:
            status = await answer.text()
    service.terminate()
    told = {"logs": service.logs, "metrics": metrics, "status": status}
    told["traces"] = "\n".join(body.decode(errors="replace") for body in collector.raw)
    assert all(told.values())
    assert "request_failed" in told["logs"]
    secrets = {SUBMITTED, PASSWORD, *(part for token in (deployer, reader) for part in token.split("."))}
    found = {(place, secret) for place, text in told.items() for secret in secrets if secret in text}
    assert found == set(), [line for text in told.values() for line in text.splitlines() if SUBMITTED in line][:5]


async def some(client: ClientSession, token: str, values: Iterator[str]) -> dict[str, str]:
    """An incident, a comment on it and an attribute, by the names that paths have for them."""
    headers = {"Authorization": f"Bearer {token}"}
    body = incident(name=next(values), description=next(values), reported_by=next(values), location=next(values))
    async with client.post(PATH, json=body, headers=headers) as answer:
        id = (await answer.json())["data"]["id"]
    async with client.post(f"{PATH}/{id}/comments", json={"text": next(values)}, headers=headers) as answer:
        comment = (await answer.json())["data"]["id"]
    name = next(values)
    async with client.post(f"{PATH}/attributes", json={"name": name, "type": "STRING"}, headers=headers) as answer:
        assert answer.status == 201
    return {"id": id, "comment_id": comment, "name": name, "position": "1"}


def calls(route: Route, known: dict[str, str], values: Iterator[str]) -> Iterator[tuple[str, str, bytes]]:
    """A call that may succeed, and some that cannot."""
    method = "POST" if route.method == "*" else route.method
    path = route.path.format(**known)
    members: dict[str, Any] = incident(name=next(values), description=next(values), reported_by=next(values))
    fitting = {name: value for name, value in members.items() if route.body and name in route.body.model_fields}
    fitting |= {"text": next(values)} if "text" in path or "comment" in path else {}
    fitting |= {"name": known["name"], "value": next(values)} if path.endswith("/attributes") else {}
    yield method, path, json.dumps(fitting).encode() if fitting else b""
    yield method, path, json.dumps({**fitting, "occ_lock": 0}).encode()
    yield method, path, json.dumps({**members, next(values): next(values), "occ_lock": next(values)}).encode()
    yield method, path, f'{{"{next(values)}": '.encode()
    yield method, f"{path}?q={next(values)}&{next(values)}={next(values)}&after={next(values)}", b""
    yield method, f"{path}/{next(values)}", b""


async def sent(client: ClientSession, token: str, key: str, method: str, path: str, body: bytes) -> int:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key, "Content-Type": "application/json"}
    async with client.request(method, path, data=body or None, headers=headers) as answer:
        if answer.content_type == "text/event-stream":
            return answer.status  # it does not end by itself
        await answer.read()
        return answer.status
