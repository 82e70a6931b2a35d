"""The parts of a URL that names a server, with a password that no message ever shows.

The standard library splits what is wrong without a word: at a `/` or `#` within a password, say, and the rest of the
password is then a path that somebody prints.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import unquote

ESCAPES = "/ # ? [ ] @ : %"
_HEAD = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)")
_BLANK = re.compile(r"[\x00-\x20\x7f]")
_ESCAPED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::(?P<port>[0-9]*))?")
_MAX_PORT = 65535


class ServerUrl(NamedTuple):
    """`places`: host (unescaped, without brackets) and port, None where none is named. User and password are as they
    are, `path` as it was written. A query parameter with an empty value counts as absent."""

    scheme: str
    user: str | None
    password: str | None
    places: tuple[tuple[str, int | None], ...]
    path: str
    query: Mapping[str, str]


def scheme_of(url: str) -> str:
    """In small letters; empty where there is none."""
    found = _HEAD.match(url)
    return found["scheme"].lower() if found else ""


def split(url: str, parameters: Collection[str], hints: Mapping[str, str]) -> ServerUrl:
    """`parameters`: what may stand in the query, `hints`: what to do in place of some that may not.

    Raises ValueError, which shows nothing of what may be a password.
    """
    found = _HEAD.fullmatch(url)
    if found is None or _BLANK.search(url):
        raise ValueError("not a URL: a space, a line break or a control character must be percent-encoded")
    place_end = re.search(r"[/?#]", found["rest"])
    end = place_end.start() if place_end else len(found["rest"])
    authority, rest = found["rest"][:end], found["rest"][end:]
    path, _, asked = rest.partition("?")
    if "#" in rest or "@" in path:
        raise _reserved()
    credentials, at, places = authority.rpartition("@")
    user, colon, password = credentials.partition(":")
    if re.search(r"[\[\]@:]", password) or re.search(r"[\[\]@]", user):
        raise _reserved()
    if not (_ESCAPED.fullmatch(credentials) and _ESCAPED.fullmatch(path)):
        raise _reserved()
    query = _query(asked, parameters, hints)
    return ServerUrl(
        found["scheme"].lower(),
        unquote(user) if at else None,
        unquote(password) if colon else None,
        tuple(place_of(place) for place in places.split(",")),
        path,
        query,
    )


def place_of(place: str) -> tuple[str, int | None]:
    """`host`, `host:port` or `[::1]:port`. Raises ValueError."""
    found = _PLACE.fullmatch(place)
    if found is None or not _ESCAPED.fullmatch(found["host"]):
        raise ValueError(
            f"what follows a host's name must be its port, a number; in a password {ESCAPES} must be percent-encoded"
        )
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port <= _MAX_PORT:
        raise ValueError(f"a port is a number from 1 to {_MAX_PORT}")
    return unquote(found["host"].strip("[]")), port


def _query(asked: str, parameters: Collection[str], hints: Mapping[str, str]) -> dict[str, str]:
    query: dict[str, str] = {}
    for pair in filter(None, asked.split("&")):
        name, equals, value = pair.partition("=")
        if name not in parameters:
            if "@" in asked or not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
                raise _reserved()  # what looks like a query may be the end of a password
            allowed = f"what may stand there: {', '.join(sorted(parameters)) or 'nothing'}"
            raise ValueError(f"{name}: {hints.get(name, 'there is no such parameter')}; {allowed}")
        if name in query:
            raise ValueError(f"{name} stands twice")
        if value:
            query[name] = unquote(value)
    return query


def _reserved() -> ValueError:
    return ValueError(
        f"a reserved character stands where it has another meaning: in user and password {ESCAPES} must be "
        "percent-encoded (%2F %23 %3F %5B %5D %40 %3A %25)"
    )
