"""How Schemathesis learns what `x-ims-rule` says: what fits the document is refused only where a rule tells of it."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import schemathesis
from schemathesis.checks import positive_data_acceptance
from schemathesis.specs.openapi.checks import use_after_free

from tests.schema.document import Case

REFUSED = (400, 412, 422)
PAST = ("/v1/incident/{id}/history", "/v1/incident/{id}/diff")
MOMENTS = {"version", "as_of"}
"""What one asks the past for in a query."""


def unexplained(rules: list[dict[str, Any]], errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The errors that no rule tells of."""
    return [error for error in errors if not any(_tells(rule, error) for rule in rules)]


def _tells(rule: dict[str, Any], error: dict[str, Any]) -> bool:
    wanted, field = rule.get("field"), error.get("field", "")
    return error["code"] in rule["codes"] and (wanted is None or field == wanted or field.startswith(f"{wanted}."))


def _fits(case: Case) -> bool:
    headers: Mapping[str, str] = case.headers or {}
    return all(
        jsonschema_rs.is_valid(parameter["schema"], headers[parameter["name"]])
        for parameter in case.operation.definition.raw.get("parameters", ())
        if parameter["in"] == "header" and parameter["name"] in headers
    )


@schemathesis.check
def accepted_or_explained(ctx: schemathesis.CheckContext, response: schemathesis.Response, case: Case) -> bool | None:
    """`positive_data_acceptance`, but for refusals whose every error is told of by a rule of this operation.

    Schemathesis' coverage phase cannot make a header with quotes: it sends `0` as an entity tag and takes it for one.
    """
    rules = case.operation.definition.raw.get("x-ims-rule", [])
    json = response.headers.get("content-type") == ["application/json"]
    if response.status_code in REFUSED and json and not unexplained(rules, response.json()["errors"]):
        return None
    if not _fits(case):
        return None
    accepted: bool | None = positive_data_acceptance(ctx, response, case)
    return accepted


def allowed_of(case: Case) -> list[Any]:
    """Checks that do not hold for this call: what was deleted has its past still, for those who may audit."""
    return [use_after_free] if case.path in PAST or MOMENTS & set(case.query or {}) else []
