"""One request on its way: who asks, what was sent, and the parts of the service that answer it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from aiohttp import web

from domain.errors import Absent, Fault
from domain.event import Act, Json, Kept
from domain.incident import Incident
from projections.read_models import ReadModels
from service.auth.errors import RoleMissing
from service.auth.identity import Identity
from service.commands import Done
from service.http.answers import success
from service.http.bodies import read_json
from service.http.idempotency import command_of
from service.http.preconditions import etag
from service.http.statuses import BadRequest
from service.parts import Parts
from service.store.ids import uuid_from

IDENTITY: Final = web.RequestKey("identity", Identity)
TRACE_ID: Final = web.RequestKey("trace_id", str)
INCIDENTS: Final = "/v1/incident"
MAX_POSITION_DIGITS: Final = 18


class Call:
    """What a handler works with."""

    __slots__ = ("identity", "parts", "request")

    def __init__(self, request: web.Request, parts: Parts) -> None:
        self.request, self.parts = request, parts
        self.identity = request[IDENTITY]

    @property
    def tenant_id(self) -> str:
        return self.identity.tenant_id

    def id(self, name: str = "id") -> UUID:
        return uuid_from(self.request.match_info[name].replace("-", ""))

    def located(self, path: str) -> str:
        """Where clients find this path of the service."""
        return f"{self.parts.settings.base_path}{path}"

    def incident(self) -> str:
        """Where clients find the incident that the path names."""
        return self.located(f"{INCIDENTS}/{self.id()}")

    def may_write(self) -> None:
        if not self.identity.may_write:
            raise RoleMissing("this token may only read: a role of IMS_WRITER_ROLES or IMS_DEPLOYER_ROLES is needed")

    def may_define(self) -> None:
        if not self.identity.may_define:
            raise RoleMissing("only a deployer may define attributes: a role of IMS_DEPLOYER_ROLES is needed")

    def may_erase(self) -> None:
        if not self.identity.may_erase:
            raise RoleMissing("only an eraser may erase: a role of IMS_ERASER_ROLES is needed")

    async def body(self, *, nullable: bool = False) -> dict[str, Json]:
        """The body as a JSON object; nothing counts as an empty one, and so does null where it is `nullable`."""
        return await read_json(self.request, self.parts.settings.request_timeout, nullable=nullable) or {}

    def act(self, body: Mapping[str, Json] | None = None) -> Act:
        """The command that this request is."""
        identity = self.identity
        command_id, digest = command_of(self.request, identity, body)
        return Act(
            tenant_id=identity.tenant_id,
            user_id=identity.user_id,
            user_name=identity.user_name,
            command_id=command_id,
            trace_id=self.request[TRACE_ID],
            at=datetime.now(UTC),
            request_digest=digest,
        )

    async def read_models(self, position: int = 0) -> ReadModels:
        """As fresh as this tenant's own writes, as the client asks, and as `position`.

        Raises NotFresh, BadRequest, Invalid.
        """
        return await self.parts.freshness.current(self.tenant_id, max(position, self.minimum() or 0) or None)

    async def document(self) -> tuple[int, bytes]:
        """The incident's version and document, as fresh as that. Raises Absent, NotFresh, BadRequest, Invalid."""
        found = await self.parts.documents.get(self.tenant_id, self.id(), self.minimum())
        if found is None:
            raise Absent
        return found

    def minimum(self) -> int | None:
        """The position that the client asks for. Raises BadRequest."""
        text = self.request.headers.get("Ims-Min-Position")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= MAX_POSITION_DIGITS):
            raise BadRequest(Fault("HEADER_INVALID", "must be a position, as a write answered it", "Ims-Min-Position"))
        return int(text)

    def written(self, done: Done[Any], data: bytes, status: int = 200, location: str | None = None) -> web.Response:
        """The answer to a write; from here on this tenant's reads wait for it."""
        kept: Kept = done.aggregate
        if done.position is not None and isinstance(kept, Incident) and not kept.deleted:
            self.parts.documents.wrote(self.tenant_id, kept.id, kept.version, data, done.position)
        return self.recorded(kept.version, done.position, data, status, location)

    def recorded(
        self, version: int, position: int | None, data: bytes, status: int = 200, location: str | None = None
    ) -> web.Response:
        """The same for what is there in this version since an event at this position."""
        headers = {"ETag": etag(version)}
        if position is not None:
            headers["Ims-Position"] = str(position)
            self.parts.freshness.acknowledge(self.tenant_id, position)
        if location is not None:
            headers["Location"] = self.located(location)
        return success(data, status=status, headers=headers)
