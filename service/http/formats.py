"""In which format a list is answered: JSON in the envelope, CSV, or NDJSON; as `format` asks, or else `Accept`."""

from functools import lru_cache
from typing import Final, NamedTuple

from aiohttp import hdrs, web

from domain.errors import Fault
from service.http.answers import BY_ACCEPT, JSON
from service.http.negotiation import preferred
from service.http.queries import Parameters
from service.http.statuses import BadRequest

CSV: Final = "text/csv; charset=utf-8; header=present"
"""RFC 4180 and RFC 7111; the parameters are part of the type."""
NDJSON: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
"""The names under which clients ask for one JSON document a line; each is answered under the name that it asked for."""
OFFERED: Final = (JSON, CSV, *NDJSON)
MEDIA_TYPES: Final = {"json": JSON, "csv": CSV, "ndjson": NDJSON[0]}
"""By the values of `format`."""
FORMAT_PARAMETERS: Final = ("format", "bom")
"""The query parameters that choose; `format` counts more than `Accept`."""
MAX_REMEMBERED: Final = 200
"""Characters of an `Accept` header whose answer is kept in memory."""


class Format(NamedTuple):
    """`media_type`: what Content-Type says. `bom`: whether U+FEFF comes first, by which Excel knows UTF-8."""

    media_type: str
    bom: bool = False

    @property
    def extension(self) -> str:
        """Of a file in this format; also what `format` calls it."""
        return {JSON: "json", CSV: "csv"}.get(self.media_type, "ndjson")


_JSON: Final = Format(JSON)


def accepted(request: web.Request) -> str | None:
    """The media type that `Accept` prefers of those that are there; None where it takes none of them."""
    lines = request.headers.getall(hdrs.ACCEPT, _NO_LINES)
    if not lines:
        return JSON
    accept = lines[0] if len(lines) == 1 else ",".join(lines)
    return _remembered(accept) if len(accept) <= MAX_REMEMBERED else preferred(accept, OFFERED)


def format_of(accept: str | None, parameters: Parameters) -> Format:
    """What is to be answered, where `Accept` prefers `accept`. Faults go to the parameters.

    Raises BadRequest (406) where nothing that is there is asked for.
    """
    bom = bool(parameters.flag("bom"))
    name = parameters.one("format")
    if name is None:
        media_type = accept
    elif name in MEDIA_TYPES:
        media_type = MEDIA_TYPES[name]
    else:
        parameters.fault("PARAMETER_INVALID", f"must be one of {', '.join(MEDIA_TYPES)}", "format")
        return _JSON
    if media_type is None:
        fault = Fault("NOT_ACCEPTABLE", f"this can be had as {', '.join(OFFERED)}; or say ?format=", hdrs.ACCEPT)
        raise BadRequest(fault, 406, BY_ACCEPT)
    if bom and media_type != CSV:
        parameters.fault("PARAMETER_INVALID", "only CSV may begin with a byte order mark", "bom")
    return Format(media_type, bom)


_NO_LINES: Final[list[str]] = []


@lru_cache(maxsize=256)
def _remembered(accept: str) -> str | None:
    return preferred(accept, OFFERED)
