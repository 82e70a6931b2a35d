"""The table of routes: what is served, by which function, with which body. Router and OpenAPI are both made of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from service.http import answer_models as answers
from service.http import (
    attributes,
    audit,
    comments,
    erasure_models,
    erasures,
    events,
    incident_lists,
    incidents,
    models,
    past,
)
from service.http.call import MAX_POSITION_DIGITS, Call
from service.http.expectations import expect
from service.http.formats import FORMAT_PARAMETERS
from service.http.statuses import code_of
from service.metrics import DONE
from service.parts import Parts

Handler = Callable[[Call], Awaitable[web.StreamResponse]]

_HEX = "[0-9a-fA-F]"
UUID = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
NAME = "[A-Za-z][A-Za-z0-9_]{0,63}"
POSITION = f"[0-9]{{1,{MAX_POSITION_DIGITS}}}"
PATTERNS = {"id": UUID, "comment_id": UUID, "name": NAME, "position": POSITION}


@dataclass(frozen=True, slots=True)
class Route:
    """`path` as OpenAPI has it. `role`: what the user must be allowed to do. `listed`: whether OpenAPI shows it.

    `answer` is None for events, whose models take long to make: `openapi.py` knows them. `locked`: whether If-Match is
    looked at. `query` names the query parameters.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    role: str = "read"
    status: int = 200
    locked: bool = False
    query: tuple[str, ...] = ()
    listed: bool = True

    @property
    def headers(self) -> tuple[str, ...]:
        """The request headers that mean something here."""
        if self.method != "GET":
            return ("Idempotency-Key", "If-Match", "traceparent") if self.locked else ("Idempotency-Key", "traceparent")
        if self.handler is events.stream:
            return events.LAST_EVENT_ID, "traceparent"
        if self.handler in (incident_lists.codes, events.events) or self.path.startswith(_AUDIT):
            return ("traceparent",)
        if self.handler is incidents.get:
            return "If-None-Match", "Ims-Min-Position", "traceparent"
        return "Ims-Min-Position", "traceparent"

    @property
    def command(self) -> str:
        """What a write is called in metrics and traces: `incidents.edit`."""
        return f"{self.handler.__module__.rpartition('.')[2]}.{self.handler.__name__}"

    @property
    def pattern(self) -> str:
        """The path as the router has it: ids and names of their form only, so that any other text is 404."""
        pattern = self.path
        for name, form in PATTERNS.items():
            pattern = pattern.replace(f"{{{name}}}", f"{{{name}:{form}}}")
        return pattern


_ALL = "/v1/incident"
ONE = f"{_ALL}/{{id}}"
_COMMENT = f"{ONE}/comments/{{comment_id}}"

_EVENTS = events.PATH
EVENT_PATHS = (_EVENTS, f"{_EVENTS}/stream")
_AUDIT = "/v1/audit"
CONSISTENCY_PATH = f"{_AUDIT}/consistency"

_LOCK = ("occ_lock",)
_LISTED = (*incident_lists.ONCE, *incident_lists.REPEATABLE)

# fmt: off
ROUTES = (
    Route("POST", _ALL, incidents.report, "Report an incident",
          answers.IncidentAnswer, models.ReportBody, "write", 201),
    Route("GET", _ALL, incident_lists.incidents, "List incidents: all of them, a page, or from a cursor on",
          answers.IncidentsAnswer, query=_LISTED),
    Route("GET", f"{_ALL}/counts", incident_lists.counts, "How many incidents there are, by status, type and severity",
          answers.CountsAnswer, query=FORMAT_PARAMETERS),
    Route("GET", f"{_ALL}/codes", incident_lists.codes, "The codes that status, type and severity may have",
          answers.CodesAnswer, query=FORMAT_PARAMETERS),
    Route("GET", f"{_ALL}/attributes", attributes.definitions, "The attributes that are defined",
          answers.DefinitionsAnswer, query=attributes.DEFINITIONS_PARAMETERS),
    Route("POST", f"{_ALL}/attributes", attributes.define, "Define an attribute",
          answers.DefinitionAnswer, models.DefinitionBody, "define", 201),
    Route("DELETE", f"{_ALL}/attributes/{{name}}", attributes.retire, "Retire an attribute",
          answers.DefinitionAnswer, None, "define"),
    Route("GET", ONE, incidents.get, "Get an incident, or what it was in a version or at a time",
          answers.IncidentAnswer, query=past.OF_THE_PAST),
    Route("PUT", ONE, incidents.edit, "Edit an incident: replace all of it",
          answers.IncidentAnswer, models.EditBody, "write", locked=True),
    Route("PATCH", ONE, incidents.patch, "Edit an incident: a JSON merge patch",
          answers.IncidentAnswer, models.PatchBody, "write", locked=True),
    Route("DELETE", ONE, incidents.delete, "Delete an incident",
          answers.IncidentAnswer, models.LockBody, "write", locked=True, query=_LOCK),
    Route("*", ONE, incidents.misplaced, "Not a call of the API",
          answers.Failure, listed=False),
    Route("POST", f"{ONE}/restore", incidents.restore, "Bring a deleted incident back",
          answers.IncidentAnswer, models.LockBody, "write", locked=True, query=_LOCK),
    Route("GET", f"{ONE}/history", past.history, "Every change of an incident, its comments included, oldest first",
          answers.HistoryAnswer, query=past.HISTORY_PARAMETERS),
    Route("GET", f"{ONE}/diff", past.diff, "What differs between two versions of an incident",
          answers.DiffAnswer, query=past.BETWEEN),
    Route("POST", f"{ONE}/revert", incidents.revert, "Bring the content of an earlier version back",
          answers.IncidentAnswer, models.RevertBody, "write", locked=True),
    Route("POST", f"{ONE}/erase", erasures.erase, "Erase what was written in an incident from the log, for good",
          erasure_models.ErasureAnswer, erasure_models.ErasureBody, "erase", locked=True, query=_LOCK),
    Route("GET", f"{ONE}/attributes", attributes.values, "The attributes of an incident",
          answers.AttributesAnswer),
    Route("POST", f"{ONE}/attributes", attributes.add, "Set an attribute for the first time",
          answers.IncidentAnswer, models.AttributeBody, "write", locked=True),
    Route("PUT", f"{ONE}/attributes", attributes.put, "Set an attribute",
          answers.IncidentAnswer, models.AttributeEditBody, "write", locked=True),
    Route("DELETE", f"{ONE}/attributes/{{name}}", attributes.remove, "Remove an attribute",
          answers.IncidentAnswer, models.LockBody, "write", locked=True, query=_LOCK),
    Route("POST", f"{ONE}/comments", comments.add, "Comment on an incident",
          answers.CommentAnswer, models.CommentBody, "write", 201),
    Route("GET", f"{ONE}/comments", comments.comments, "The comments on an incident, oldest first",
          answers.CommentsAnswer, query=comments.LIST_PARAMETERS),
    Route("DELETE", f"{ONE}/comments", comments.remove_named, "Remove the comment that is named",
          answers.CommentAnswer, models.CommentRemovalBody, "write", locked=True, query=("id", *_LOCK)),
    Route("PUT", _COMMENT, comments.edit, "Edit a comment",
          answers.CommentAnswer, models.CommentEditBody, "write", locked=True),
    Route("DELETE", _COMMENT, comments.remove, "Remove a comment",
          answers.CommentAnswer, models.LockBody, "write", locked=True, query=_LOCK),
    Route("POST", f"{_COMMENT}/erase", erasures.erase_comment, "Erase a comment from the log, for good",
          erasure_models.ErasureAnswer, erasure_models.CommentErasureBody, "erase", locked=True, query=_LOCK),
    Route("GET", _EVENTS, events.events, "The events beyond a position, as CloudEvents",
          None, query=(*events.ONCE, *events.REPEATABLE)),
    Route("GET", f"{_EVENTS}/stream", events.stream, "The events from a position on, as they happen",
          None, query=(*events.STREAMED, *events.REPEATABLE)),
    Route("GET", f"{_AUDIT}/checkpoint", audit.checkpoint, "A signed checkpoint of the log",
          answers.CheckpointAnswer),
    Route("GET", f"{_AUDIT}/proof/{{position}}", audit.proof, "The proof that an event is in the log",
          answers.InclusionAnswer),
    Route("GET", CONSISTENCY_PATH, audit.consistency, "The proof that the log only grew from one size to another",
          answers.ConsistencyAnswer, query=audit.SIZES),
)
# fmt: on


_REQUIRED: Final[dict[str, Callable[[Call], None]]] = {
    "write": Call.may_write, "define": Call.may_define, "erase": Call.may_erase,
}  # fmt: skip
"""What a route's role asks of the call; it raises RoleMissing."""


def add_routes(app: web.Application, parts: Parts) -> None:
    for route in ROUTES:
        handle = _adapted(route, parts)
        if route.method == "GET":
            app.router.add_get(route.pattern, handle, allow_head=True, expect_handler=expect)
        else:
            app.router.add_route(route.method, route.pattern, handle, expect_handler=expect)


def _adapted(route: Route, parts: Parts) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    handler, may = route.handler, _REQUIRED.get(route.role)
    name, count = route.command, parts.metrics.commands.add

    async def ask(request: web.Request) -> web.StreamResponse:
        return await handler(Call(request, parts))

    if may is None:
        return ask

    async def command(request: web.Request) -> web.StreamResponse:
        try:
            call = Call(request, parts)
            may(call)
            answer = await handler(call)
        except Exception as error:
            count(name, code_of(error).lower())
            raise
        count(name, DONE)
        return answer

    return command
