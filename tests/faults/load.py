"""Clients that keep a service busy, and remember every answer that they were given."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from service.auth.minting import mint
from service.settings import Settings
from tests.domain.examples import BREACH
from tests.servers.process import ServiceProcess

INCIDENTS = "/v1/incident"
DEPLOYER = "tenant-admin"
TOKEN_LIFE = timedelta(hours=1)
REQUEST_SECONDS = 20
PAUSE_SECONDS = 0.02
"""After a request that was not carried out."""

CUT_OFF = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def code(self) -> str:
        code: str = self.body["errors"][0]["code"]
        return code

    @property
    def position(self) -> int:
        return int(self.headers["Ims-Position"])


@dataclass(frozen=True)
class Acknowledged:
    """A write that the client was told of: where its event stands, of which aggregate and version it is."""

    position: int
    id: str
    occ_lock: int


class Client:
    """One user's connections to one process."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        """Header names are written with `_`. Raises one of CUT_OFF when there is no answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["Idempotency-Key"] = key
        async with self.session.request(method, path, json=body, headers=named) as response:
            return Answer(response.status, await response.json(), response.headers.copy())

    async def report(self, **details: Any) -> dict[str, Any]:
        answer = await self.ask("POST", INCIDENTS, {**BREACH, **details})
        assert answer.status == 201, answer
        data: dict[str, Any] = answer.data
        return data


def authorization(service: ServiceProcess, *roles: str, tenant: str = "acme") -> dict[str, str]:
    """As `ims token` would print it, without the second that a process takes to start."""
    settings = Settings(data_dir=Path(service.environment["IMS_DATA_DIR"]))
    return {"Authorization": f"Bearer {mint(settings, tenant, 'alice', 'Alice', roles, TOKEN_LIFE)}"}


@asynccontextmanager
async def client(url: str, headers: Mapping[str, str], connections: int = 100) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(
        url,
        headers=headers,
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
    ) as session:
        yield Client(session)


@dataclass
class Load:
    """What the clients of one `load` have seen. `refused`: answers that were no success, by status and code."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: Counter[tuple[int, str]] = field(default_factory=Counter)
    without_retry_after: int = 0
    cut_off: int = 0
    unknown: set[str] = field(default_factory=set)
    """Incidents of which the client cannot know what became of its last request."""

    def counts(self, answer: Answer) -> bool:
        if answer.status < 300:
            if "Ims-Position" in answer.headers:
                data = answer.data
                self.acknowledged.append(Acknowledged(answer.position, data["id"], data["occ_lock"]))
            return True
        self.refused[answer.status, answer.code] += 1
        self.without_retry_after += answer.status == 503 and "Retry-After" not in answer.headers
        return False


@asynccontextmanager
async def load(
    url: Callable[[], str], headers: Mapping[str, str], clients: int = 8, seed: int = 1
) -> AsyncIterator[Load]:
    """Clients that report, edit, patch, set attributes, comment, delete and restore until the block ends.

    `url` is asked again after every loss of connection, so a service that was started anew is found.
    """
    seen = Load()
    over = asyncio.Event()
    tasks = [
        asyncio.create_task(_work(seen, over, url, headers, random.Random(seed * 1000 + number)))
        for number in range(clients)
    ]
    try:
        yield seen
    finally:
        over.set()
        await asyncio.gather(*tasks)


async def _work(
    seen: Load, over: asyncio.Event, url: Callable[[], str], headers: Mapping[str, str], chance: random.Random
) -> None:
    mine: list[dict[str, Any]] = []
    while not over.is_set():
        async with client(url(), headers, connections=1) as one:
            try:
                while not over.is_set():
                    if not await _step(seen, one, mine, chance):
                        await asyncio.sleep(PAUSE_SECONDS)
            except CUT_OFF:
                seen.cut_off += 1
                await asyncio.sleep(PAUSE_SECONDS)


async def _step(seen: Load, one: Client, mine: list[dict[str, Any]], chance: random.Random) -> bool:
    """One request; an incident whose state is in doubt after it is left alone."""
    what = chance.choice(("report", "edit", "patch", "attribute", "comment", "delete and restore"))
    key = str(uuid4())  # every write has one: the HTTP client repeats a PUT or a DELETE by itself when it is cut off
    if not mine or what == "report":
        answer = await one.ask("POST", INCIDENTS, {**BREACH, "name": f"Number {chance.random()}"}, key=key)
        if seen.counts(answer):
            mine.append(answer.data)
            return True
        return False
    incident = mine.pop(chance.randrange(len(mine)))
    seen.unknown.add(incident["id"])
    path = f"{INCIDENTS}/{incident['id']}"
    if what == "comment":
        answer = await one.ask("POST", f"{path}/comments", {"text": f"Text {chance.random()}"}, key=key)
    elif what == "edit":
        body = {**BREACH, "description": f"Said {chance.random()}", "occ_lock": incident["occ_lock"]}
        answer = await one.ask("PUT", path, body, key=key)
    elif what == "patch":
        answer = await one.ask("PATCH", path, {"location": f"Place {chance.random()}"}, key=key)
    elif what == "attribute":
        answer = await one.ask("PUT", f"{path}/attributes", {"name": "count", "value": chance.random()}, key=key)
    else:
        answer = await one.ask("DELETE", path, key=key)
        if seen.counts(answer):
            answer = await one.ask("POST", f"{path}/restore", key=key)
    succeeded = seen.counts(answer)
    if succeeded:
        seen.unknown.discard(incident["id"])
        mine.append(incident if what == "comment" else answer.data)
    return succeeded
