"""Cursors: where a page ended, bound to the tenant, filter and sort that it was made for."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from domain.errors import Fault
from domain.rules import unstorable
from service.http.statuses import BadRequest

DIGEST_CHARACTERS = 16
MAX_KEY = 2**63


def fingerprint(*parts: Any) -> str:
    """What a cursor is bound to, in short."""
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:DIGEST_CHARACTERS]


def encode(bound_to: str, keys: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([bound_to, *keys])).decode().rstrip("=")


def decode(text: str, bound_to: str, types: Sequence[type]) -> list[Any] | None:
    """The sort keys of the row before the page; None for the empty cursor, which starts. Raises BadRequest."""
    if not text:
        return None
    try:
        told, *keys = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, TypeError):
        raise _invalid() from None
    fits = len(keys) == len(types) and all(type(key) is kind for key, kind in zip(keys, types, strict=True))
    if told != bound_to or not fits or not all(map(_storable, keys)):
        raise _invalid()
    return list(keys)


def _storable(key: Any) -> bool:
    return unstorable(key) is None if isinstance(key, str) else abs(key) < MAX_KEY


def _invalid() -> BadRequest:
    return BadRequest(
        Fault("CURSOR_INVALID", "take it from page.next, with the same tenant, filter and sort", "cursor")
    )
