"""Locks and preconditions of a request: `occ_lock` in the body or the query, `If-Match`, `If-None-Match` (RFC 9110)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from domain.errors import Fault
from domain.event import Json, Match
from domain.rules import OCC_LOCK
from service.http.statuses import BadRequest

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")
_VERSION = re.compile(r'"(0|[1-9][0-9]{0,9})"')
_DIGITS = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Lock:
    """`conditional`: there was an If-Match; `match` is None where it is `*`, which whatever exists fulfils."""

    occ_lock: int | None
    match: Match
    conditional: bool


def lock_of(request: web.Request, body: Mapping[str, Json], query_lock: str | None = None) -> Lock:
    """Raises BadRequest where a lock or the header cannot be used, or body and query are at odds."""
    locks = set()
    if body.get("occ_lock") is not None:
        fault = OCC_LOCK(body["occ_lock"])
        if fault is not None:
            raise BadRequest(fault.at("occ_lock"))
        locks.add(body["occ_lock"])
    if query_lock is not None:
        number = int(query_lock) if _DIGITS.fullmatch(query_lock) else -1
        fault = OCC_LOCK(number)
        if fault is not None:
            raise BadRequest(Fault("PARAMETER_INVALID", fault.message, "occ_lock"))
        locks.add(number)
    if len(locks) > 1:
        raise BadRequest(Fault("LOCKS_DIFFER", "the body and the query name different locks", "occ_lock"))
    header = request.headers.get("If-Match")
    if header is None:
        return Lock(next(iter(locks), None), None, conditional=False)
    tags = _tags(header, "If-Match")
    return Lock(next(iter(locks), None), tags, conditional=True)


def etag(version: int) -> str:
    return f'"{version}"'


def unchanged(request: web.Request, version: int) -> bool:
    """Whether the client has this version already."""
    header = request.headers.get("If-None-Match")
    if header is None:
        return False
    tags = _tags(header, "If-None-Match")
    return tags is None or version in tags


def _tags(header: str, name: str) -> Match:
    if header.strip() == "*":
        return None
    if not _TAGS.fullmatch(header):
        raise BadRequest(Fault("HEADER_INVALID", 'must be * or entity tags such as "3"', name))
    return frozenset(int(version) for version in _VERSION.findall(header))
