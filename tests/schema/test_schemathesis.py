"""Schemathesis against the running service: whatever is sent, no 5xx and no answer outside the document."""

from contextlib import suppress
from itertools import count
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from schemathesis.checks import positive_data_acceptance

from tests.schema.allowances import accepted_or_explained, allowed_of
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
DEFAULT = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(DEFAULT, max_examples=40)

# 412 comes before a code or an attribute is looked up: what the incident has already stays allowed.
# The token is this test's own affair; that nothing is answered without one, `ignored_auth` asks by itself.
CONFIG = schemathesis.Config.from_dict(
    {
        "generation": {"with-security-parameters": False},
        "checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 405, 409, 412, 415, 422]}},
    }
)

# A stream has no end to wait for; its answers are looked at where it is tested.
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG).exclude(path="/v1/events/stream")
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


@pytest.mark.parametrize("walks", [3, pytest.param(20, marks=pytest.mark.faults)])
def test_no_walk_leads_outside_the_document(walks: int, service: ServiceProcess, authorization: dict[str, str]) -> None:
    """One call after another, ids and all taken from the answers before."""
    machine = schema.as_state_machine()
    walked: list[None] = []
    found: list[BaseException] = []

    class Walk(machine):  # type: ignore[misc, valid-type]
        def setup(self) -> None:
            super().setup()
            walked.append(None)

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"base_url": service.url, "headers": authorization}

        def validate_response(self, response: schemathesis.Response, case: Case, **kwargs: Any) -> None:
            try:
                case.validate_response(
                    response,
                    additional_checks=[accepted_or_explained],
                    excluded_checks=[positive_data_acceptance, *allowed_of(case)],
                    transport_kwargs=kwargs,
                    recorder=self.recorder,
                )
            except BaseException as error:
                found.append(error)
                raise

    while len(walked) < walks and not found:
        # The service remembers earlier walks, so that a walk may end elsewhere than one like it did before: the round
        # ends there, and another begins. Real findings are kept, whatever becomes of the round.
        with suppress(Flaky):
            Walk.run(settings=settings(DEFAULT, max_examples=walks, stateful_step_count=12, phases=[Phase.generate]))
    assert not found, found[0]


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
    created = httpx.post(url, json=INCIDENT, headers=authorization)
    if created.status_code == 400:  # a walk before has retired the attribute
        httpx.post(f"{url}/attributes", json={"name": "count", "type": "NUMBER"}, headers=authorization)
        created = httpx.post(url, json=INCIDENT, headers=authorization)
    assert created.status_code == 201, created.text
    id = created.json()["data"]["id"]
    case.path_parameters["id"] = id
    if "comment_id" in case.path_parameters:
        answer = httpx.post(f"{url}/{id}/comments", json={"text": "Seen"}, headers=authorization)
        case.path_parameters["comment_id"] = answer.json()["data"]["id"]


def fits(parameters: dict[str, Any]) -> bool:
    return all(len(str(parameters[name])) == 36 for name in ("id", "comment_id") if name in parameters)
