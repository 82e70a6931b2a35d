"""The identity of a command: what `Idempotency-Key` makes of it, so that the log itself guards against a second one."""

import hashlib
import re
from collections.abc import Mapping
from uuid import UUID, uuid5

import orjson
from aiohttp import web

from domain.errors import Fault
from domain.event import Json
from service.auth.identity import Identity
from service.http.statuses import BadRequest
from service.randomness import random_id

_NAMESPACE = UUID("0c2f9a57-93c1-4a52-8a3b-6a4e2f7d9f10")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def command_of(request: web.Request, identity: Identity, body: Mapping[str, Json] | None) -> tuple[UUID, str]:
    """The command's id and a digest of the request; without a key a fresh id and an empty digest."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return random_id(), ""
    if not _KEY.fullmatch(key) or len(request.headers.getall("Idempotency-Key")) > 1:
        raise BadRequest(Fault("HEADER_INVALID", "must be 1 to 255 visible ASCII characters", "Idempotency-Key"))
    name = f"{identity.tenant_id}\0{identity.user_id}\0{request.method}\0{request.path}\0{key}"
    # A header may hold any bytes; what is no text is none here either.
    told = [body, sorted(request.query.items()), [ascii(line) for line in request.headers.getall("If-Match", [])]]
    return uuid5(_NAMESPACE, name), hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
