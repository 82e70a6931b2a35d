"""Which HTTP status each error has, and the codes that clients can rely on: the one table of both."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from domain.errors import (
    Absent,
    Fault,
    Forbidden,
    Invalid,
    LimitReached,
    NotDeleted,
    Stale,
    Taken,
    Unmatched,
)
from projections.database import Unavailable
from service.audit.errors import CheckpointPending, OtherHistory
from service.auth.challenge import INSUFFICIENT_SCOPE, challenge
from service.auth.errors import KeysUnreachable, RoleMissing, ScopeMissing, Unauthenticated
from service.commands import CommandErased, Contended, ContentErased, KeyReused
from service.freshness import NotFresh
from service.http.faults import MAX_FAULTS, shown, told
from service.store.errors import ClockBehind, OutcomeUnknown, Overloaded, TookTooLong, WritesRefused
from service.store.mapper import UnreadableEvent

INTERNAL: Final = "INTERNAL"
"""The code of what nobody foresaw."""
RETRY_SECONDS: Final = 1
"""What `Retry-After` says where a dependency is away."""

CODES: Final[dict[str, str]] = {
    "ATTRIBUTE_LIMIT": "409: the tenant has as many attributes as it may have",
    "ATTRIBUTE_NAME_INVALID": "400: not a name for an attribute",
    "ATTRIBUTE_TYPE_UNKNOWN": "400: not a type of attributes",
    "ATTRIBUTE_UNKNOWN": "400: no attribute of this name is defined; the message lists those that are",
    "BODY_INVALID": "400: the body is not a JSON object, or cannot be read",
    "BODY_TOO_LARGE": "413: the body is over the limit",
    "CHECKPOINT_PENDING": "503: no checkpoint covers it yet; try again",
    "CLOCK_BEHIND": "503: the newest event is dated far ahead of the database's clock; an operator has to decide",
    "CODE_UNKNOWN": "400: not a code of the deployment; the message lists those that are",
    "COMMAND_ERASED": "409: the request was carried out before, and its content was erased since",
    "CONTENDED": "503: others kept changing the same thing first; try again",
    "CONTENT_ERASED": "409: the content of this version was erased",
    "CURSOR_INVALID": "400: not a cursor of this tenant, filter and sort",
    "DATABASE_UNSUITABLE": "503: the database is not as it must be for writes; an operator has to look",
    "EVENT_UNREADABLE": "503: an event of the log is damaged, or of a newer release; the message says which",
    "EXISTS_ALREADY": "409: the name is in use, or a value is set",
    "FIELD_NOT_ERASABLE": "400: this cannot be erased; the message lists what can",
    "FORBIDDEN": "403: the user may not do this",
    "HEADER_INVALID": "400: a header does not have its form",
    "HEADER_TOO_LARGE": "431: a header is over the limit, which the message gives, or there are too many",
    "IDEMPOTENCY_KEY_REUSED": "422: the key came with another request before",
    "INTERNAL": "500: a fault of the service; its log has more under the same trace_id",
    "JSON_INVALID": "400: not JSON as RFC 8259 has it, or a number beyond 64 bits",
    "KEYS_UNREACHABLE": "503: the keys that tokens are checked with are out of reach",
    "LOCK_STALE": "409: occ_lock is not the current one; `current` and `changes` say what happened since",
    "LOCKS_DIFFER": "400: the body and the query name different locks",
    "MEMBER_MISSING": "400: a member is required",
    "MEMBER_UNKNOWN": "400: there is no such member",
    "METHOD_NOT_ALLOWED": "405: `Allow` lists what is",
    "NOT_ACCEPTABLE": "406: `Accept` names nothing that this can be had as; the message lists what is there",
    "NOT_DELETED": "409: only what is deleted can be restored",
    "NOT_FOUND": "404: there is nothing of this kind here for this tenant",
    "NUMBER_OUT_OF_RANGE": "400: the message gives the range",
    "OUTCOME_UNKNOWN": "503: whether the write was recorded could not be found out in time; repeat it with its key",
    "OVERLOADED": "503: more writes wait than may; try again",
    "PARAMETER_INVALID": "400: a query parameter cannot be used as it is",
    "PARAMETER_REPEATED": "400: a query parameter stands twice that may stand once",
    "PARAMETER_UNKNOWN": "400: there is no such query parameter here",
    "POSITION_UNKNOWN": "400: the position is beyond the end of the log",
    "PRECONDITION_FAILED": "412: If-Match does not hold",
    "RATE_LIMITED": "429: the tenant sent too many requests",
    "READ_MODEL_BEHIND": "503: the read model did not reach what was written in time; try again",
    "READERS_LIMIT": "503: this process serves as many streams as it may; try again",
    "REQUEST_INVALID": "400: not HTTP as it is taken here",
    "REQUEST_TIMEOUT": "408: the body did not arrive in time",
    "SCOPE_MISSING": "403: the token lacks a scope that the deployment requires",
    "TENANT_MISSING": "401: the token names no tenant",
    "TEXT_EMPTY": "400: the text needs a character that can be seen",
    "TEXT_INVALID": "400: the text has U+0000 or a lone surrogate",
    "TEXT_TOO_LONG": "400: the message gives the limit",
    "TIME_INVALID": "400: not an RFC 3339 time with an offset, of a date that exists",
    "TOKEN_EXPIRED": "401: the token has expired",
    "TOKEN_INVALID": "401: the token cannot be trusted",
    "TOKEN_MISSING": "401: the request carries no bearer token",
    "TYPE_INVALID": "400: a value of another type is needed",
    "TYPE_UNSUPPORTED": "415: the body is not JSON, or compressed in a way that is not taken",
    "UNAVAILABLE": "503: the database cannot be reached, or took too long to read; nothing was changed",
    "URI_TOO_LONG": "414: the request line is over 8190 bytes",
    "VERSION_UNKNOWN": "400: the incident has no such version; the message gives the range",
    "WRONG_PATH": "400: this body belongs to another path, which the message names",
}


_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class BadRequest(Exception):
    """Refused before the domain was asked; like Invalid, but of another status than 400 where one is given."""

    def __init__(self, fault: Fault, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(fault.code)
        self.fault, self.status, self.headers = fault, status, headers or {}


class MethodNotAllowed(Exception):
    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ",".join(sorted(allowed))
        super().__init__(f"allowed: {self.allowed}")


class Failure(NamedTuple):
    status: int
    message: str
    errors: list[dict[str, Any]]
    headers: Mapping[str, str] = _NO_HEADERS
    total: int = 0


def failure_of(error: Exception) -> Failure | None:
    """What a client is told of an error; None where it is a fault of the service itself."""
    if (alike := _ALIKE.get(type(error))) is not None:
        return alike
    if isinstance(error, Invalid):
        return _invalid(error)
    if isinstance(error, BadRequest):
        return Failure(error.status, "The request is not valid.", [shown(error.fault)], error.headers)
    if isinstance(error, Unauthenticated):
        headers = {"WWW-Authenticate": challenge(error.error, error.message)}
        return Failure(401, error.message, [_error(error.code, error.message)], headers)
    if isinstance(error, MethodNotAllowed):
        return Failure(405, str(error), [_error("METHOD_NOT_ALLOWED", str(error))], {"Allow": error.allowed})
    if isinstance(error, RoleMissing | ScopeMissing):
        return _insufficient(error)
    if isinstance(error, Stale):
        return _stale(error)
    for kind, (status, code, message) in _PLAIN.items():
        if isinstance(error, kind):
            text = message or str(error)
            known = _error(code, text)
            if isinstance(error, Taken):
                known["field"] = error.field
            return Failure(status, text, [known], {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {})
    return None


def code_of(error: Exception) -> str:
    """The code of the first thing that is wrong."""
    known = failure_of(error)
    return str(known.errors[0]["code"]) if known is not None else INTERNAL


def _insufficient(error: RoleMissing | ScopeMissing) -> Failure:
    """A scope can be asked for at the issuer; a role is given by people."""
    text = str(error)
    code, scopes = ("SCOPE_MISSING", error.scopes) if isinstance(error, ScopeMissing) else ("FORBIDDEN", ())
    return Failure(403, text, [_error(code, text)], {"WWW-Authenticate": challenge(INSUFFICIENT_SCOPE, text, scopes)})


def _stale(error: Stale) -> Failure:
    shown: dict[str, Any] = _error("LOCK_STALE", str(error)) | {
        "field": "occ_lock",
        "current": {"occ_lock": error.current, "updated_at": error.updated_at, "updated_by": error.updated_by},
        "changes": error.changes,
    }
    if error.truncated:
        shown["changes_truncated"] = True
    return Failure(409, "Somebody else has changed it since.", [shown])


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _invalid(error: Invalid) -> Failure:
    total = len(error.faults) + error.more
    if total <= MAX_FAULTS:
        return Failure(400, "The request is not valid.", told(error.faults))
    text = f"The request is not valid: {total} faults, the first {MAX_FAULTS} are shown."
    return Failure(400, text, told(error.faults), total=total)


_PLAIN: Final[dict[type[Exception], tuple[int, str, str]]] = {
    Absent: (404, "NOT_FOUND", "There is nothing here."),
    Forbidden: (403, "FORBIDDEN", ""),
    Unmatched: (412, "PRECONDITION_FAILED", ""),
    Taken: (409, "EXISTS_ALREADY", ""),
    NotDeleted: (409, "NOT_DELETED", ""),
    LimitReached: (409, "ATTRIBUTE_LIMIT", ""),
    CommandErased: (409, "COMMAND_ERASED", "The request was carried out before; its content was erased since."),
    ContentErased: (409, "CONTENT_ERASED", "The content of this version was erased."),
    KeyReused: (422, "IDEMPOTENCY_KEY_REUSED", "The idempotency key came with another request before."),
    KeysUnreachable: (503, "KEYS_UNREACHABLE", "The keys that tokens are checked with are out of reach."),
    NotFresh: (503, "READ_MODEL_BEHIND", "The read model has not reached what was written yet."),
    CheckpointPending: (503, "CHECKPOINT_PENDING", "No checkpoint covers it yet."),
    OtherHistory: (503, "CHECKPOINT_PENDING", "Nothing is proven until the tree is that of the log again."),
    Contended: (503, "CONTENDED", "Others kept changing the same thing first."),
    UnreadableEvent: (503, "EVENT_UNREADABLE", ""),
    Overloaded: (503, "OVERLOADED", "More writes wait than may."),
    ClockBehind: (
        503,
        "CLOCK_BEHIND",
        "Nothing is recorded: the newest event is dated far ahead of the database's clock. Reads go on.",
    ),
    WritesRefused: (503, "DATABASE_UNSUITABLE", "Nothing is recorded: the database is not as it must be. Reads go on."),
    OutcomeUnknown: (503, "OUTCOME_UNKNOWN", "Whether the write was recorded could not be found out in time."),
    TookTooLong: (503, "UNAVAILABLE", "The database did not answer in time: ask for less, or try again."),
    Unavailable: (503, "UNAVAILABLE", "The database cannot be reached."),
}

_ALIKE: Final[dict[type[Exception], Failure]] = {
    kind: Failure(status, message, [_error(code, message)])
    for kind, (status, code, message) in _PLAIN.items()
    if message and status != 503
}
"""What is the same each time, whatever the error says."""
