"""Proof: checkpoints of the log, that an event is in it, that it only ever grew, and the key to check it all with."""

import base64
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import orjson
from aiohttp import web

from domain.errors import Absent, Fault, Invalid
from projections.leaves import Leaf
from service.audit.errors import SizeUnknown
from service.http.answers import COMMON, success
from service.http.call import MAX_POSITION_DIGITS, Call
from service.http.expectations import expect
from service.http.queries import Parameters
from service.parts import PARTS

KEY_PATH: Final = "/.well-known/ims-checkpoint-key"
SIZES: Final = ("from", "to")


async def checkpoint(call: Call) -> web.Response:
    Parameters(call.request).done()
    found = await call.parts.proofs.checkpoint()
    return _answer({"origin": found.origin, "size": found.size, "root": _text(found.root), "checkpoint": found.note})


async def proof(call: Call) -> web.Response:
    Parameters(call.request).done()
    found = await call.parts.proofs.inclusion(call.tenant_id, int(call.request.match_info["position"]))
    if found is None:
        raise Absent
    return _answer(
        {
            "index": found.leaf.position - 1,
            "size": found.checkpoint.size,
            "leaf": _leaf(found.leaf),
            "leaf_text": found.leaf.text,
            "hashes": _texts(found.hashes),
            "checkpoint": found.checkpoint.note,
        }
    )


async def consistency(call: Call) -> web.Response:
    parameters = Parameters(call.request, SIZES)
    old, new = (_size(parameters, name) for name in SIZES)
    if old > new and not parameters.faults:
        parameters.fault("PARAMETER_INVALID", f"must be at most `to`, which is {new}", "from")
    parameters.done()
    try:
        found = await call.parts.proofs.consistency(old, new)
    except SizeUnknown as unknown:
        raise Invalid([Fault("POSITION_UNKNOWN", f"must be at most {unknown.size}: {unknown}", "to")]) from None
    return _answer(
        {
            "from": old,
            "from_root": _text(found.old_root),
            "to": new,
            "to_root": _text(found.new_root),
            "hashes": _texts(found.hashes),
        }
    )


async def keys(request: web.Request) -> web.Response:
    """A line for each key that ever signed, the newest first, in the form `name+id+key`."""
    known = await request.app[PARTS].proofs.keys()
    return web.Response(text="".join(f"{key}\n" for key in known), headers=COMMON)


def add_key(app: web.Application) -> None:
    app.router.add_get(KEY_PATH, keys, expect_handler=expect)


def _size(parameters: Parameters, name: str) -> int:
    text = parameters.one(name)
    if text is None or not text.isascii() or not text.isdigit() or len(text) > MAX_POSITION_DIGITS or not int(text):
        parameters.fault("PARAMETER_INVALID", "must be a number of events from 1, such as a checkpoint has", name)
        return 0
    return int(text)


def _leaf(leaf: Leaf) -> dict[str, Any]:
    return {
        "position": leaf.position,
        "tenant_id": leaf.tenant_id,
        "aggregate_id": str(UUID(leaf.aggregate_id)),
        "version": leaf.version,
        "topic": leaf.topic,
        "recorded_at": leaf.recorded_at,
        "digest": leaf.digest.hex(),
    }


def _answer(data: dict[str, Any]) -> web.Response:
    return success(orjson.dumps(data))


def _texts(hashes: Iterable[bytes]) -> list[str]:
    return [_text(hash_) for hash_ in hashes]


def _text(hash_: bytes) -> str:
    return base64.b64encode(hash_).decode()
