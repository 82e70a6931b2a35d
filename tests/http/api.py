"""A client of the API as these tests speak to it: who asks, what, and the answer with its envelope taken apart."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from multidict import CIMultiDictProxy
from yarl import URL

from service.auth.minting import mint
from service.parts import Parts
from service.settings import Settings

PATH = "/v1/incident"
ABSENT_ID = "00000000-0000-4000-8000-000000000000"
DEPLOYER = ("tenant-admin",)
Headers = Mapping[str, str] | Iterable[tuple[str, str]]


@cache
def token(key_folder: Path, tenant: str, user: str, name: str | None, roles: tuple[str, ...]) -> str:
    return mint(Settings(data_dir=key_folder), tenant, user, name, roles)


@dataclass(frozen=True, slots=True)
class Answer:
    method: str
    status: int
    headers: CIMultiDictProxy[str]
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def data(self) -> Any:
        """What was asked for; fails with the errors where it was refused."""
        assert self.status in (200, 201), f"{self.status} {self.raw!r}"
        return self.body["data"]

    @property
    def error(self) -> Any:
        """The only error."""
        (error,) = self.body["errors"]
        return error

    @property
    def code(self) -> str:
        return str(self.error["code"])

    @property
    def faults(self) -> set[tuple[str, str | None]]:
        """Code and field of each error."""
        return {(error["code"], error.get("field")) for error in self.body["errors"]}

    def refused(self, status: int, code: str, field: str | None = None) -> Any:
        """Fails unless it is this refusal, and no other fault with it; returns the error."""
        assert self.status == status, f"{self.status} {self.raw!r}"
        assert self.faults == {(code, field)}
        return self.error


@dataclass(frozen=True)
class Api:
    """A user of a tenant, and the service that is asked. `by(…)` is another user of the same service."""

    client: TestClient[Any, Any]
    parts: Parts
    settings: Settings
    stop: Callable[[], Awaitable[None]]
    tenant: str = "acme"
    user: str = "ann"
    name: str | None = "Ann Example"
    roles: tuple[str, ...] = ()

    def by(self, user: str | None = None, *, tenant: str | None = None, roles: tuple[str, ...] = ()) -> "Api":
        tenant, user = tenant or self.tenant, user or self.user
        return replace(self, tenant=tenant, user=user, name=self.name if user == self.user else None, roles=roles)

    @property
    def deployer(self) -> "Api":
        return self.by(roles=DEPLOYER)

    @property
    def authorization(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token(self.settings.data_dir, self.tenant, self.user, self.name, self.roles)}"
        }

    async def send(
        self,
        method: str,
        path: str,
        json: Any = ...,
        *,
        data: Any = None,
        headers: Headers = (),
        authorized: bool = True,
        **options: Any,
    ) -> Answer:
        """`json` is sent as application/json, `data` as it is; `path` is not encoded further."""
        sent = [*(self.authorization.items() if authorized else ()), *dict_items(headers)]
        if json is not ...:
            data = orjson.dumps(json)
            if not any(name.lower() == "content-type" for name, _ in sent):
                sent.append(("Content-Type", "application/json"))
        url = URL(path, encoded=True)
        skip = ("Content-Type",) if data is not None else ()
        response: ClientResponse = await self.client.request(
            method, url, data=data, headers=sent, skip_auto_headers=skip, **options
        )
        async with response:
            return Answer(method, response.status, response.headers, await response.read())

    async def get(self, path: str = PATH, **options: Any) -> Answer:
        return await self.send("GET", path, **options)

    async def post(self, path: str, json: Any = ..., **options: Any) -> Answer:
        return await self.send("POST", path, json, **options)

    async def put(self, path: str, json: Any = ..., **options: Any) -> Answer:
        return await self.send("PUT", path, json, **options)

    async def patch(self, path: str, json: Any = ..., **options: Any) -> Answer:
        return await self.send("PATCH", path, json, **options)

    async def delete(self, path: str, json: Any = ..., **options: Any) -> Answer:
        return await self.send("DELETE", path, json, **options)

    async def report(self, **members: Any) -> Any:
        """A new incident."""
        return (await self.post(PATH, incident(**members))).data

    async def comment(self, incident_id: str, text: str = "Seen.") -> Any:
        return (await self.post(f"{PATH}/{incident_id}/comments", {"text": text})).data

    async def ids(self, query: str = "") -> list[str]:
        """The ids of the incidents that are listed."""
        return [found["id"] for found in (await self.get(f"{PATH}{query}")).data["incidents"]]

    async def names(self, query: str = "") -> list[str]:
        return [found["name"] for found in (await self.get(f"{PATH}{query}")).data["incidents"]]


def incident(**members: Any) -> dict[str, Any]:
    """The least that a report needs, and what is given."""
    return {
        "name": "Server outage",
        "status": "NEW",
        "type": "OTHERS",
        "date": "2024-11-11T10:57:27Z",
        "description": "Several servers lost power.",
        "reported_by": "Ann",
        **members,
    }


def dict_items(headers: Headers) -> list[tuple[str, str]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def at(id: str, *rest: str) -> str:
    return "/".join((PATH, id, *rest))


def utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
