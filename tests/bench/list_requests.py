"""Lists of a tenant with many incidents, as they are asked for: the first page, one deep inside, narrowed ones."""

import json
from urllib.request import Request as Call
from urllib.request import urlopen

from tests.bench.traffic import PAGE, REQUESTS, Request

FIRST = REQUESTS["list"]
MAX_SIZE = 1_000
"""Incidents that a page may have."""


def narrowed(**wanted: str) -> Request:
    return Request("GET", FIRST.target + "".join(f"&{name}={value}" for name, value in wanted.items()), 200)


BY_CURSOR = Request("GET", f"/v1/incident?cursor={{id}}&size={PAGE}", 200)
"""With cursors in the place of ids."""


def deep(url: str, token: str, beyond: int) -> Request:
    """The page by cursor that comes after so many incidents, of which there must be more."""
    (cursor,) = cursors(url, token, beyond, 1)
    return Request("GET", BY_CURSOR.target.replace("{id}", cursor), 200)


def cursors(url: str, token: str, beyond: int, count: int) -> list[str]:
    """Of that page and of the next ones."""
    found, cursor = list[str](), ""
    while len(found) < count:
        size = min(MAX_SIZE, beyond) or PAGE
        call = Call(f"{url}/v1/incident?cursor={cursor}&size={size}", headers={"Authorization": f"Bearer {token}"})
        cursor = json.load(urlopen(call))["page"]["next"]
        beyond = max(0, beyond - size)
        if not beyond:
            found.append(cursor)
    return found
