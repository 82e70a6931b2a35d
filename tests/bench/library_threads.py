"""The `eventsourcing` library as it comes: its Application and PostgreSQL recorder, in a thread pool behind aiohttp.

`python -m tests.bench.library_threads DSN KEY_FILE`. It has no list: the library has no read models.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError
from pydantic import ValidationError

from tests.bench.incident_body import IncidentBody, IncidentEdit
from tests.bench.listening import announced_socket
from tests.bench.signing import InvalidToken, Verifier

THREADS = 8  # the best of 4, 8, 16 and 32 on two cores
ATTEMPTS = 5


class Stale(Exception):
    """The lock names another version."""


class Incident(Aggregate):
    @event("Reported")
    def __init__(self, tenant: str, by: str, content: dict[str, Any]) -> None:
        self.tenant = tenant
        self.content = content
        self.created_by = self.updated_by = by

    @event("Edited")
    def edit(self, by: str, content: dict[str, Any]) -> None:
        self.content = content
        self.updated_by = by


class Incidents(Application[UUID]):
    """What the threads do; each returns the answer's bytes."""

    def report(self, tenant: str, by: str, content: dict[str, Any]) -> bytes:
        incident = Incident(tenant, by, content)
        self.save(incident)
        return rendered(incident)

    def edit(self, tenant: str, by: str, id_: UUID, content: dict[str, Any], lock: int | None) -> bytes:
        """A lost race is decided again; raises AggregateNotFoundError, Stale, IntegrityError."""
        for attempt in range(ATTEMPTS):
            incident = self.load(tenant, id_)
            if lock not in (None, incident.version - 1):
                raise Stale
            incident.edit(by, content)
            try:
                self.save(incident)
                break
            except IntegrityError:
                if attempt == ATTEMPTS - 1:
                    raise
        return rendered(incident)

    def read(self, tenant: str, id_: UUID) -> bytes:
        return rendered(self.load(tenant, id_))

    def load(self, tenant: str, id_: UUID) -> Incident:
        incident: Incident = self.repository.get(id_)
        if incident.tenant != tenant:
            raise AggregateNotFoundError
        return incident


def rendered(incident: Incident) -> bytes:
    data = {
        "id": incident.id,
        **incident.content,
        "created_at": incident.created_on,
        "created_by": incident.created_by,
        "updated_at": incident.modified_on,
        "updated_by": incident.updated_by,
        "tenant_id": incident.tenant,
        "occ_lock": incident.version - 1,
    }
    return orjson.dumps({"data": data, "sent_at": datetime.now(UTC).replace(microsecond=0)})


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except InvalidToken:
        raise web.HTTPUnauthorized from None
    except ValidationError as error:
        raise web.HTTPBadRequest(text=error.json()) from None
    except Stale:
        raise web.HTTPConflict from None
    except AggregateNotFoundError:
        raise web.HTTPNotFound from None


def application(incidents: Incidents, verifier: Verifier) -> web.Application:
    threads = ThreadPoolExecutor(THREADS)

    async def in_thread(work: Any, *arguments: object) -> bytes:
        answer: bytes = await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)
        return answer

    def answer(body: bytes, status: int = 200) -> web.Response:
        return web.Response(status=status, body=body, content_type="application/json")

    async def create(request: web.Request) -> web.Response:
        user = verifier.user(request.headers.get("Authorization", ""))
        body = IncidentBody.model_validate_json(await request.read())
        return answer(await in_thread(incidents.report, *user, body.model_dump(mode="json")), 201)

    async def edit(request: web.Request) -> web.Response:
        user = verifier.user(request.headers.get("Authorization", ""))
        body = IncidentEdit.model_validate_json(await request.read())
        content = body.model_dump(mode="json", exclude={"occ_lock"})
        id_ = UUID(request.match_info["id"])
        return answer(await in_thread(incidents.edit, *user, id_, content, body.occ_lock))

    async def read(request: web.Request) -> web.Response:
        tenant, _ = verifier.user(request.headers.get("Authorization", ""))
        return answer(await in_thread(incidents.read, tenant, UUID(request.match_info["id"])))

    app = web.Application(middlewares=[errors])
    app.router.add_post("/v1/incident", create)
    app.router.add_put("/v1/incident/{id}", edit)
    app.router.add_get("/v1/incident/{id}", read)
    return app


def persistence(dsn: str) -> dict[str, str]:
    address = urlsplit(dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": address.path.strip("/"),
        "POSTGRES_HOST": address.hostname or "127.0.0.1",
        "POSTGRES_PORT": str(address.port or 5432),
        "POSTGRES_USER": address.username or "postgres",
        "POSTGRES_PASSWORD": address.password or "unused",
        "POSTGRES_POOL_SIZE": str(THREADS),
    }


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    sock, verifier = announced_socket(), Verifier(Path(sys.argv[2]))
    with Incidents(env={**os.environ, **persistence(sys.argv[1])}) as incidents:
        web.run_app(application(incidents, verifier), sock=sock, print=None, access_log=None)
