"""Erasing what the law says must go: of an incident, of a comment. The answer is a receipt of what was done."""

from typing import Any

import orjson
from aiohttp import web

from domain.comment import Comment
from domain.erasure import ALL
from domain.errors import Absent
from domain.event import Recorded
from domain.incident import Incident
from domain.moments import utc_text
from service.http.call import Call
from service.http.erasure_models import CommentErasureBody, ErasureBody
from service.http.intake import take


async def erase(call: Call) -> web.Response:
    intake = await take(call, ErasureBody, once={"occ_lock"})
    act, body, lock = intake.act, intake.body, intake.lock

    def decide(incident: Incident, redacted: dict[str, str]) -> None:
        incident.erase(act, body["fields"], body["reason"], redacted, lock.occ_lock, lock.match)

    return _receipt(call, await call.parts.erasures.erase(act, Incident, call.id(), body["fields"], decide))


async def erase_comment(call: Call) -> web.Response:
    """Whether its incident is there or not."""
    intake = await take(call, CommentErasureBody, once={"occ_lock"})
    act, body, lock, incident_id = intake.act, intake.body, intake.lock, call.id()

    def decide(comment: Comment, redacted: dict[str, str]) -> None:
        if comment.incident_id != incident_id:
            raise Absent
        comment.erase(act, body["fields"], body["reason"], redacted, lock.occ_lock, lock.match)

    return _receipt(call, await call.parts.erasures.erase(act, Comment, call.id("comment_id"), ALL, decide))


def _receipt(call: Call, done: Recorded) -> web.Response:
    event: Any = done.event
    receipt = {
        "id": str(event.originator_id),
        "incident_id": str(event.subject_id),
        "fields": event.fields,
        "reason": event.reason,
        "positions": sorted(map(int, event.redacted)),
        "erased_at": utc_text(done.recorded_at),
        "erased_by": event.user_name,
        "tenant_id": event.tenant_id,
        "occ_lock": event.originator_version,
    }
    return call.recorded(event.originator_version, done.position, orjson.dumps(receipt))
