"""Locks and preconditions of a request: `occ_lock` in the body or the query, `If-Match`, `If-None-Match` (RFC 9110).

A proxy that compresses answers makes tags of its own of ours, `"0-gzip"` of `"0"`, and its clients send them back: they
name the version that they were made of, as weak tags do.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web

from domain.errors import Fault
from domain.event import Json, Match
from domain.rules import OCC_LOCK
from service.http.statuses import BadRequest

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")
# Apache, lighttpd and Caddy write `-gzip`, Jetty `--gzip`, others `;gzip` or `:gzip`; there may be several in a row.
_CODED = r"(?:(?:--?|[;:])(?:x-)?(?:gzip|br|zstd|deflate|df|compress|bzip2|dcb|dcz|identity)){0,3}"
_VERSION = re.compile(rf'"(0|[1-9][0-9]{{0,9}}){_CODED}"', re.IGNORECASE)
_coding = re.compile(rf"(?<=.){_CODED}$", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{1,10}")


class Lock(NamedTuple):
    """`conditional`: there was an If-Match; `match` is None where it is `*`, which whatever exists fulfils."""

    occ_lock: int | None
    match: Match
    conditional: bool


UNLOCKED: Final = Lock(None, None, conditional=False)


def lock_of(request: web.Request, body: Mapping[str, Json], query_lock: str | None = None) -> Lock:
    """Raises BadRequest where a lock or the header cannot be used, or body and query are at odds."""
    header = _joined(request, "If-Match")
    if header is None and query_lock is None and body.get("occ_lock") is None:
        return UNLOCKED
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
    if header is None:
        return Lock(next(iter(locks), None), None, conditional=False)
    return Lock(next(iter(locks), None), _tags(header, "If-Match"), conditional=True)


def uncoded(tag: str) -> str:
    """An entity tag, without its quotes, as it was before a proxy compressed what it stands for."""
    return _coding.sub("", tag, count=1)


def etag(version: int) -> str:
    return f'"{version}"'


class Known:
    """The versions that the client has already, by its `If-None-Match`. Raises BadRequest where that cannot be used."""

    def __init__(self, request: web.Request) -> None:
        header = _joined(request, "If-None-Match")
        self._tags = frozenset() if header is None else _tags(header, "If-None-Match")

    def __contains__(self, version: int) -> bool:
        return self._tags is None or version in self._tags


def _joined(request: web.Request, name: str) -> str | None:
    """Several lines of one header are one list (RFC 9110, 5.3)."""
    if name not in request.headers:
        return None
    return ", ".join(request.headers.getall(name))


def _tags(header: str, name: str) -> Match:
    if header.strip() == "*":
        return None
    if not _TAGS.fullmatch(header):
        raise BadRequest(Fault("HEADER_INVALID", 'must be * or entity tags such as "3"', name))
    return frozenset(int(version) for version in _VERSION.findall(header))
