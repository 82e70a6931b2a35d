"""Schemathesis against the running service: whatever is sent, no 5xx and no answer outside the document."""

from itertools import count
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance

from tests.schema.allowances import accepted_or_explained
from tests.schema.document import DOCUMENT, Case
from tests.servers.process import ServiceProcess

INCIDENT = {
    "name": "Pump",
    "status": "NEW",
    "type": "OTHERS",
    "date": "2024-11-11T10:57:27+08:00",
    "description": "It leaks",
    "reported_by": "Ann",
    "attributes": {"count": 5},
}
DEFAULT = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(DEFAULT, max_examples=300)

schema = schemathesis.openapi.from_dict(DOCUMENT)
_numbers = count()


@schema.parametrize()
@DEFAULT
def test_no_answer_is_outside_the_document(case: Case, service: ServiceProcess, authorization: dict[str, str]) -> None:
    check(case, service, authorization)


@pytest.mark.faults
@schema.parametrize()
@LONG
def test_no_answer_is_outside_the_document_in_a_long_round(
    case: Case, service: ServiceProcess, authorization: dict[str, str]
) -> None:
    check(case, service, authorization)


def check(case: Case, service: ServiceProcess, authorization: dict[str, str]) -> None:
    aim(case, service, authorization)
    case.call_and_validate(
        base_url=service.url,
        headers=authorization,
        excluded_checks=[positive_data_acceptance],
        additional_checks=[accepted_or_explained],
    )


def aim(case: Case, service: ServiceProcess, authorization: dict[str, str]) -> None:
    """Every other case meets an incident and a comment that exist; a random id would always be a 404."""
    if not {"id", "comment_id"} & set(case.path_parameters or {}) or next(_numbers) % 2:
        return
    if not fits(case.path_parameters):
        return
    url = f"{service.url}/v1/incident"
    id = httpx.post(url, json=INCIDENT, headers=authorization).json()["data"]["id"]
    case.path_parameters["id"] = id
    if "comment_id" in case.path_parameters:
        answer = httpx.post(f"{url}/{id}/comments", json={"text": "Seen"}, headers=authorization)
        case.path_parameters["comment_id"] = answer.json()["data"]["id"]


def fits(parameters: dict[str, Any]) -> bool:
    return all(len(str(parameters[name])) == 36 for name in ("id", "comment_id") if name in parameters)
