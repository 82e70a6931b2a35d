"""What a failed request leaves in the log: more than its answer, nothing that was sent; repeated ones are counted."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import structlog
from aiohttp import web

from service.http.call import IDENTITY
from service.http.statuses import Failure
from service.metrics import method_label
from service.repeats import Repeats, place_of

MAX_NAMED: Final = 20
"""Codes and fields in a record."""
MAX_CAUSE: Final = 2000
"""Characters of an error's own words."""

_NAMED_BY_CLIENTS = frozenset({"ATTRIBUTE_UNKNOWN", "MEMBER_UNKNOWN", "PARAMETER_UNKNOWN"})
_log = structlog.get_logger(__name__)


class FailureLog:
    """Failures are of one kind where method, route, status and first code are the same; those of the service itself
    where they came of the same error at the same place, too."""

    def __init__(self, repeats: Repeats) -> None:
        self._repeats = repeats

    def report(
        self, request: web.Request, route: str, trace_id: str, problem: Failure, cause: Exception | None
    ) -> None:
        """`cause`: of a failure of the service."""
        level = logging.ERROR if problem.status >= 500 else logging.WARNING
        method, code = method_label(request.method), problem.errors[0]["code"]
        kind = method, route, problem.status, code, cause and place_of(cause)
        if self._repeats.count(level, kind, trace_id):
            return
        same = {"method": method, "route": route, "status": problem.status, "codes": _codes(problem)}

        def tell(**counted: object) -> None:
            _log.log(level, "request_failed", **{**same, "codes": [str(code)]}, **counted)

        if self._repeats.begin(level, kind, tell, trace_id):
            _log.log(
                level,
                "request_failed",
                **same,
                fields=_some(_known(shown["field"]) for shown in problem.errors if _names_ours(shown)),
                trace_id=trace_id,
                tenant_id=getattr(request.get(IDENTITY), "tenant_id", None),
                exc_info=cause if problem.status == 500 else None,
                cause=None if cause is None else f"{type(cause).__name__}: {cause}"[:MAX_CAUSE],
            )

    def malformed(self, status: int, code: str, trace_id: str) -> None:
        """What is no request: neither route nor method is known."""
        if self._repeats.count(logging.WARNING, (status, code), trace_id):
            return

        def tell(**counted: object) -> None:
            _log.warning("request_failed", status=status, codes=[code], **counted)

        if self._repeats.begin(logging.WARNING, (status, code), tell, trace_id):
            tell(trace_id=trace_id)


def _codes(problem: Failure) -> list[str]:
    return _some(str(shown["code"]) for shown in problem.errors)


def _some(names: Any) -> list[str]:
    """Each once, and no more than a record has room for."""
    return list(dict.fromkeys(names))[:MAX_NAMED]


def _names_ours(shown: Mapping[str, Any]) -> bool:
    """Whether the field is one of the API's; a name that nobody knows is something that was sent."""
    return "field" in shown and shown["code"] not in _NAMED_BY_CLIENTS


def _known(field: str) -> str:
    """`attributes` for one of them: tenants name those."""
    return field.partition(".")[0]
