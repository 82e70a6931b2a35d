"""The usual way: FastAPI on uvicorn, asyncpg, and one table that is updated in place; no history, no events.

`python -m tests.bench.fastapi_table DSN KEY_FILE`. Tokens are verified with a cache (signing.py), bodies validated.
"""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel

from tests.bench.incident_body import Incident, IncidentBody, IncidentEdit
from tests.bench.listening import announced_socket
from tests.bench.signing import InvalidToken, Verifier

TABLE = """
CREATE TABLE incidents (
    id uuid PRIMARY KEY, tenant_id text NOT NULL, occ_lock integer NOT NULL DEFAULT 0,
    name text NOT NULL, status text NOT NULL, type text NOT NULL, date timestamptz NOT NULL, description text NOT NULL,
    reported_by text NOT NULL, location text NOT NULL, severity text NOT NULL, next_update bigint NOT NULL,
    resolved_date timestamptz, backdated boolean NOT NULL, attributes jsonb,
    created_at timestamptz NOT NULL DEFAULT now(), created_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(), updated_by text NOT NULL);
CREATE INDEX incidents_newest ON incidents (tenant_id, created_at DESC);
"""
FIELDS = tuple(IncidentBody.model_fields)
INSERT = (
    f"INSERT INTO incidents (id, tenant_id, created_by, updated_by, {', '.join(FIELDS)}) "
    f"VALUES ($1, $2, $3, $3, {', '.join(f'${n}' for n in range(4, 4 + len(FIELDS)))}) RETURNING *"
)
UPDATE = (
    "UPDATE incidents SET occ_lock = occ_lock + 1, updated_at = now(), updated_by = $4, "
    f"{', '.join(f'{name} = ${n}' for n, name in enumerate(FIELDS, 5))} "
    "WHERE id = $1 AND tenant_id = $2 AND ($3::integer IS NULL OR occ_lock = $3) RETURNING *"
)
SELECT = "SELECT * FROM incidents WHERE id = $1 AND tenant_id = $2"
NEWEST = "SELECT * FROM incidents WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT $2 OFFSET $3"
COUNT = "SELECT count(*) FROM incidents WHERE tenant_id = $1"


class Incidents(BaseModel):
    incidents: list[Incident]
    total: int


class OneIncident(BaseModel):
    data: Incident
    sent_at: datetime


class IncidentList(BaseModel):
    data: Incidents
    sent_at: datetime


class User(NamedTuple):
    tenant: str
    name: str


def incident(row: asyncpg.Record) -> Incident:
    return Incident.model_construct(**row)  # what the table holds was validated on its way in


def one(row: asyncpg.Record) -> OneIncident:
    return OneIncident(data=incident(row), sent_at=now())


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def columns(body: IncidentBody) -> list[object]:
    return [getattr(body, name) for name in FIELDS]


async def jsonb(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def signed_in(request: Request, authorization: Annotated[str, Header()] = "") -> User:
    try:
        return User(*request.app.state.verifier.user(authorization))
    except InvalidToken:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from None


async def connection_pool(request: Request) -> asyncpg.Pool:
    pool: asyncpg.Pool = request.app.state.pool
    return pool


Pool = Annotated[asyncpg.Pool, Depends(connection_pool)]
By = Annotated[User, Depends(signed_in)]


def application(dsn: str, verifier: Verifier) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(dsn, init=jsonb) as pool:
            await pool.execute(TABLE)
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)
    app.state.verifier = verifier

    @app.post("/v1/incident", status_code=201)
    async def create(body: IncidentBody, by: By, pool: Pool, response: Response) -> OneIncident:
        row = await pool.fetchrow(INSERT, uuid4(), by.tenant, by.name, *columns(body))
        response.headers["Location"] = f"/v1/incident/{row['id']}"
        return one(row)

    @app.get("/v1/incident")
    async def newest(
        by: By, pool: Pool, page: Annotated[int, Query(ge=1)] = 1, size: Annotated[int, Query(ge=1, le=1000)] = 10
    ) -> IncidentList:
        async with pool.acquire() as connection:
            rows = await connection.fetch(NEWEST, by.tenant, size, (page - 1) * size)
            total = await connection.fetchval(COUNT, by.tenant)
        return IncidentList(data=Incidents(incidents=[incident(row) for row in rows], total=total), sent_at=now())

    @app.get("/v1/incident/{id_}")
    async def read(id_: UUID, by: By, pool: Pool) -> OneIncident:
        row = await pool.fetchrow(SELECT, id_, by.tenant)
        if row is None:
            raise HTTPException(404)
        return one(row)

    @app.put("/v1/incident/{id_}")
    async def edit(
        id_: UUID, body: IncidentEdit, by: By, pool: Pool, if_match: Annotated[str, Header()] = ""
    ) -> OneIncident:
        if body.occ_lock is None and if_match != "*":
            raise HTTPException(400)
        row = await pool.fetchrow(UPDATE, id_, by.tenant, body.occ_lock, by.name, *columns(body))
        if row is None:
            raise HTTPException(409 if await pool.fetchrow(SELECT, id_, by.tenant) else 404)
        return one(row)

    return app


if __name__ == "__main__":
    app = application(sys.argv[1], Verifier(Path(sys.argv[2])))
    config = uvicorn.Config(app, loop="uvloop", http="httptools", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[announced_socket()])
