"""What OpenAPI cannot express: why a request that fits the document may be answered 400, 412 or 422 all the same.

It stands in the document as `x-ims-rule`: with which codes, at which member, for which reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from domain.erasure import REASON
from domain.rules import COMMENT_TEXT, DETAILS, Moment, Text
from projections.listing import COUNTED
from service.http.models import ERASABLE, CommentEditBody, EditBody, LockBody, RevertBody
from service.http.protocol import MAX_LINE
from service.http.queries import ATTRIBUTE
from service.http.routes import CONSISTENCY_PATH, Route


@dataclass(frozen=True, slots=True)
class Unexpressed:
    """`field`: the errors that are meant name it, or something within it; empty for any."""

    rule: str
    codes: tuple[str, ...]
    field: str = ""

    def document(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"rule": self.rule, "codes": list(self.codes)}
        return shown | {"field": self.field} if self.field else shown


_TIMES: Final = "The second is at most 59, and the instant lies within the years 1000 to 2999, UTC."
_VALUES: Final = (
    "ATTRIBUTE_UNKNOWN", "TYPE_INVALID", "TEXT_TOO_LONG", "TEXT_INVALID", "TIME_INVALID", "NUMBER_OUT_OF_RANGE",
)  # fmt: skip
_ATTRIBUTE: Final = "The tenant has an attribute of this name, and the value is one of its type."
_RULES: Final = {**DETAILS, "text": COMMENT_TEXT, "reason": REASON}
_CODES: Final = "A code of the deployment, or one that an incident of the tenant has or had."
_CURSOR: Final = "A cursor is what `page.next` said, with the same tenant, filter and sort; it does not go with `page`."


def unexpressed(route: Route) -> list[Unexpressed]:
    return [*_of_the_query(route), *_of_the_headers(route), *_of_the_body(route)]


def _of_the_query(route: Route) -> Iterator[Unexpressed]:
    if len(route.query) > 1:
        yield Unexpressed(f"The request line has at most {MAX_LINE} bytes.", ("URI_TOO_LONG",))
    if route.path == CONSISTENCY_PATH:
        yield Unexpressed("`from` is at most `to`.", ("PARAMETER_INVALID",), "from")
        yield Unexpressed("The tree has so many leaves.", ("POSITION_UNKNOWN",), "to")
    if "cursor" in route.query:
        yield Unexpressed(_CURSOR, ("CURSOR_INVALID", "PARAMETER_INVALID"), "cursor")
    if "sort" in route.query:
        yield Unexpressed("A field is sorted by once.", ("PARAMETER_INVALID",), "sort")
    yield from _of_filters(route)
    for name in route.query:
        if name == "as_of" or name.endswith(("_from", "_to")):
            yield Unexpressed(_TIMES, ("PARAMETER_INVALID",), name)
    if "version" in route.query:
        yield Unexpressed("A time does not go with a version.", ("PARAMETER_INVALID",), "as_of")
    if "bom" in route.query:
        yield Unexpressed("Only CSV begins with a byte order mark.", ("PARAMETER_INVALID",), "bom")
    if "occ_lock" in route.query:
        yield Unexpressed("A lock in the body and one in the query are the same.", ("LOCKS_DIFFER",), "occ_lock")


def _of_filters(route: Route) -> Iterator[Unexpressed]:
    if "q" in route.query:
        yield Unexpressed("Unless it is empty, it has a letter or a digit.", ("PARAMETER_INVALID",), "q")
    for name in COUNTED:
        if name in route.query:
            yield Unexpressed(_CODES, ("CODE_UNKNOWN",), name)
    if ATTRIBUTE in route.query:
        yield Unexpressed(_ATTRIBUTE, ("ATTRIBUTE_UNKNOWN", "PARAMETER_INVALID"), ATTRIBUTE.removesuffix("."))


def _of_the_headers(route: Route) -> Iterator[Unexpressed]:
    if route.method == "GET":
        if "Ims-Min-Position" in route.headers or "after" in route.query:
            yield Unexpressed("The position is not beyond the end of the log.", ("POSITION_UNKNOWN",))
        return
    yield Unexpressed("A key stands for one request.", ("IDEMPOTENCY_KEY_REUSED",))
    if "If-Match" in route.headers:
        yield Unexpressed("The version is one that If-Match names.", ("PRECONDITION_FAILED",))


def _of_the_body(route: Route) -> Iterator[Unexpressed]:
    if route.body is None:
        return
    members = route.body.model_fields
    yield Unexpressed("Numbers fit into 64 bits.", ("JSON_INVALID",))
    for member in members:
        rule = _RULES.get(member)
        if isinstance(rule, Moment):
            yield Unexpressed(_TIMES, ("TIME_INVALID",), member)
        if isinstance(rule, Text) and rule.required:
            yield Unexpressed("One of the characters can be seen.", ("TEXT_EMPTY",), member)
        if route.body is EditBody and member in ERASABLE:
            yield Unexpressed("Null is sent back for what was erased.", ("TYPE_INVALID",), member)
    if "attributes" in members:
        yield Unexpressed(_ATTRIBUTE, _VALUES, "attributes")
    if "value" in members:
        yield Unexpressed(_ATTRIBUTE, _VALUES, "value")
        yield Unexpressed(_ATTRIBUTE, ("ATTRIBUTE_UNKNOWN",), "name")
    if route.body is RevertBody:
        yield Unexpressed("The incident has such a version.", ("VERSION_UNKNOWN",), "version")
    if route.body in (EditBody, CommentEditBody, RevertBody):
        yield Unexpressed("A lock stands in the body, or the request has If-Match.", ("MEMBER_MISSING",), "occ_lock")
    if "id" in route.query:
        yield Unexpressed("The comment is named once, in the body or in the query.", ("MEMBER_MISSING",), "id")
    if route.body is LockBody:
        yield Unexpressed("The members are not those of an attribute or a comment alone.", ("WRONG_PATH",))
