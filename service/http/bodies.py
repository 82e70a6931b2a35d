"""Request bodies: read within limits and parsed as strict JSON."""

import asyncio
import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from domain.errors import Fault
from domain.event import Json
from service.http.answers import JSON
from service.http.inflating import Damaged, TooMuch, inflated
from service.http.statuses import BadRequest

MAX_BODY: Final = 2**20
"""Bytes of a request's body, decompressed."""

COMPRESSIONS: Final = "gzip, deflate"
COMPRESSED: Final = frozenset(COMPRESSIONS.split(", "))
ENCODINGS: Final = COMPRESSED | {"identity", ""}
ACCEPTED: Final = {"Accept-Encoding": COMPRESSIONS}
"""What a 415 for the encoding answers (RFC 9110, 12.5.3)."""

_JSON_TYPES = re.compile(r"(text/plain|application/json|application/[\w.!#$&^-]+\+json)\s*(;.*)?", re.IGNORECASE)
_CLOSE: Final = {"Connection": "close"}
"""Where a body ends is not known any more, so nothing can follow it: a client must not send its next request there."""
_DEEP: Final = frozenset({float, dict, list})
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1


async def read_json(request: web.Request, timeout: float, *, nullable: bool) -> dict[str, Json] | None:
    """The body as an object, None where there is none. Raises BadRequest: 400, 408, 413 or 415.

    `nullable`: null stands for none. Clients that always send a body send that where they have nothing to say.
    """
    if not request.body_exists:
        return None
    encoding = _encoding_of(request)
    data = await _received(request, timeout)
    if not data:
        return None
    content_type = request.headers.get("Content-Type")
    if content_type not in (None, JSON) and not _JSON_TYPES.fullmatch(content_type):
        raise BadRequest(Fault("TYPE_UNSUPPORTED", "send application/json"), 415)
    if encoding in COMPRESSED:
        data = await _unpacked(data, encoding)
        if not data:
            return None
    value = parse(data)
    if value is None and nullable:
        return None
    if not isinstance(value, dict):
        raise BadRequest(Fault("BODY_INVALID", "must be a JSON object"))
    return value


def _encoding_of(request: web.Request) -> str:
    encodings = request.headers.getall("Content-Encoding", ())
    encoding = ", ".join(encodings).lower() if encodings else ""
    if encoding not in ENCODINGS:
        fault = Fault("TYPE_UNSUPPORTED", f"send the body as it is, or in one of {COMPRESSIONS}", "Content-Encoding")
        raise BadRequest(fault, 415, ACCEPTED)
    return encoding


async def _received(request: web.Request, timeout: float) -> bytes:
    try:
        if request.content.is_eof():  # it came with the head, as most do: nothing to wait for
            data = request.content.read_nowait()
            if len(data) > MAX_BODY:
                raise _too_large()
            return data
        async with asyncio.timeout(timeout):
            return await request.read()
    except TimeoutError:
        raise BadRequest(Fault("REQUEST_TIMEOUT", f"the body must arrive within {timeout:g} s"), 408, _CLOSE) from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except (web.RequestPayloadError, HttpProcessingError):
        raise BadRequest(Fault("BODY_INVALID", "the body cannot be read"), headers=_CLOSE) from None


async def _unpacked(data: bytes, encoding: str) -> bytes:
    """In a thread: a mebibyte takes milliseconds, in which the interpreter can do something else."""
    try:
        return await asyncio.to_thread(inflated, data, encoding, MAX_BODY)
    except TooMuch:
        raise _too_large() from None
    except Damaged as error:
        raise BadRequest(Fault("BODY_INVALID", f"the body cannot be read: {error}")) from None


def _too_large() -> BadRequest:
    return BadRequest(Fault("BODY_TOO_LARGE", f"the body may have {MAX_BODY} bytes"), 413)


def parse(data: bytes) -> Json:
    """Raises BadRequest for what is no JSON, and for a number that 64 bits cannot hold."""
    try:
        value = orjson.loads(data)
        if _has_huge(value):  # orjson makes a double of an integer that is too long: look which of the two it was
            json.loads(data, parse_int=_whole)
        return value
    except (ValueError, RecursionError):
        if data.startswith(BOM_UTF8) and not data.startswith(BOM_UTF8, len(BOM_UTF8)):
            return parse(data.removeprefix(BOM_UTF8))  # which a parser may pass over (RFC 8259, 8.1)
        if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in data[:4]:
            raise BadRequest(Fault("JSON_INVALID", "must be UTF-8; this is UTF-16 or UTF-32")) from None
        raise BadRequest(Fault("JSON_INVALID", "must be JSON in UTF-8, numbers within 64 bits")) from None


def _has_huge(value: Json) -> bool:
    items = value.values() if type(value) is dict else value if type(value) is list else (value,)
    if _DEEP.isdisjoint(map(type, items)):
        return False
    for item in items:
        kind = type(item)
        if (kind is float and abs(item) >= -_MIN_INTEGER) or ((kind is dict or kind is list) and _has_huge(item)):
            return True
    return False


def _whole(text: str) -> int:
    value = int(text)
    if not _MIN_INTEGER <= value <= _MAX_INTEGER:
        raise ValueError("beyond 64 bits")
    return value


def misdirected(body: Mapping[str, Json], path: str) -> BadRequest | None:
    """The body of an attribute or a comment at the incident's own path, as old examples have it."""
    members = set(body) - {"occ_lock"}
    if members == {"name", "value"}:
        place = "attributes"
    elif members in ({"text"}, {"id", "text"}):
        place = "comments"
    else:
        return None
    return BadRequest(Fault("WRONG_PATH", f"this belongs to {path}/{place}"))
