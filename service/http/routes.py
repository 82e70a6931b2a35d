"""The table of routes: what is served, by which function, with which body. Router and OpenAPI are both made of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from service.http import attributes, comments, incident_lists, incidents, models
from service.http.call import Call

Handler = Callable[[Call], Awaitable[web.StreamResponse]]

_HEX = "[0-9a-fA-F]"
UUID = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
NAME = "[A-Za-z][A-Za-z0-9_]{0,63}"
PATTERNS = {"id": UUID, "comment_id": UUID, "name": NAME}


@dataclass(frozen=True, slots=True)
class Route:
    """`path` as OpenAPI has it. `role`: what the user must be allowed to do. `listed`: whether OpenAPI shows it."""

    method: str
    path: str
    handler: Handler
    summary: str
    body: type[BaseModel] | None = None
    role: str = "read"
    listed: bool = True

    @property
    def pattern(self) -> str:
        """The path as the router has it: ids and names of their form only, so that any other text is 404."""
        pattern = self.path
        for name, form in PATTERNS.items():
            pattern = pattern.replace(f"{{{name}}}", f"{{{name}:{form}}}")
        return pattern


_ALL = "/v1/incident"
_ONE = f"{_ALL}/{{id}}"
_COMMENT = f"{_ONE}/comments/{{comment_id}}"

ROUTES = (
    Route("POST", _ALL, incidents.report, "Report an incident", models.ReportBody, "write"),
    Route("GET", _ALL, incident_lists.incidents, "List incidents: all of them, a page, or from a cursor on"),
    Route("GET", f"{_ALL}/counts", incident_lists.counts, "How many incidents there are, by status, type and severity"),
    Route("GET", f"{_ALL}/codes", incident_lists.codes, "The codes that status, type and severity may have"),
    Route("GET", f"{_ALL}/attributes", attributes.definitions, "The attributes that are defined"),
    Route("POST", f"{_ALL}/attributes", attributes.define, "Define an attribute", models.DefinitionBody, "define"),
    Route("DELETE", f"{_ALL}/attributes/{{name}}", attributes.retire, "Retire an attribute", None, "define"),
    Route("GET", _ONE, incidents.get, "Get an incident"),
    Route("PUT", _ONE, incidents.edit, "Edit an incident: replace all of it", models.EditBody, "write"),
    Route("PATCH", _ONE, incidents.patch, "Edit an incident: a JSON merge patch", models.PatchBody, "write"),
    Route("DELETE", _ONE, incidents.delete, "Delete an incident", models.LockBody, "write"),
    Route("POST", _ONE, incidents.misplaced, "Not a call of the API", None, "write", listed=False),
    Route("POST", f"{_ONE}/restore", incidents.restore, "Bring a deleted incident back", models.LockBody, "write"),
    Route("GET", f"{_ONE}/attributes", attributes.values, "The attributes of an incident"),
    Route(
        "POST",
        f"{_ONE}/attributes",
        attributes.add,
        "Set an attribute for the first time",
        models.AttributeBody,
        "write",
    ),
    Route("PUT", f"{_ONE}/attributes", attributes.put, "Set an attribute", models.AttributeEditBody, "write"),
    Route("DELETE", f"{_ONE}/attributes/{{name}}", attributes.remove, "Remove an attribute", models.LockBody, "write"),
    Route("POST", f"{_ONE}/comments", comments.add, "Comment on an incident", models.CommentBody, "write"),
    Route("GET", f"{_ONE}/comments", comments.comments, "The comments on an incident, oldest first"),
    Route(
        "DELETE",
        f"{_ONE}/comments",
        comments.remove_named,
        "Remove the comment that is named",
        models.CommentRemovalBody,
        "write",
    ),
    Route("PUT", _COMMENT, comments.edit, "Edit a comment", models.CommentEditBody, "write"),
    Route("DELETE", _COMMENT, comments.remove, "Remove a comment", models.LockBody, "write"),
)


def add_routes(app: web.Application) -> None:
    for route in ROUTES:
        if route.method == "GET":
            app.router.add_get(route.pattern, _adapted(route), allow_head=True)
        else:
            app.router.add_route(route.method, route.pattern, _adapted(route))


def _adapted(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    handler, writes, defines = route.handler, route.role == "write", route.role == "define"

    async def handle(request: web.Request) -> web.StreamResponse:
        call = Call(request)
        if writes:
            call.may_write()
        elif defines:
            call.may_define()
        return await handler(call)

    return handle
