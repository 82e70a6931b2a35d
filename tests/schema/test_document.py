"""The document is OpenAPI 3.1, and it and the service speak of the same routes, parameters and errors."""

import re

import httpx
import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from service.http.routes import ROUTES
from service.http.statuses import CODES
from tests.schema.document import DOCUMENT, METHODS, OPERATIONS
from tests.servers.process import ServiceProcess

ID = "00000000-0000-4000-8000-000000000000"


def test_it_is_openapi_3_1() -> None:
    OPENAPI_31_VALIDATOR.validate(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})


def test_each_reference_leads_somewhere() -> None:
    for reference in re.findall(r"'\$ref': '#/([^']+)'", str(DOCUMENT)):
        place = DOCUMENT
        for step in reference.split("/"):
            place = place[step]


def test_each_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))


def test_each_route_is_described_and_nothing_else_is() -> None:
    routes = {(route.method.lower(), route.path) for route in ROUTES if route.listed}
    described = {(method, path) for method, path, _ in OPERATIONS if path.startswith("/v1")}
    assert described == routes


def test_what_is_open_to_anybody_is_served_and_marked_so(service: ServiceProcess) -> None:
    for method, path, operation in OPERATIONS:
        if not path.startswith("/v1"):
            assert (method, operation["security"]) == ("get", [])
            assert httpx.get(service.url + path).status_code == 200


def test_a_method_that_is_not_described_is_refused(service: ServiceProcess, authorization: dict[str, str]) -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method in set(METHODS) - set(operations):
            answer = httpx.request(method, service.url + _filled(path), headers=authorization)
            assert answer.status_code == 405, (method, path)
            allowed = set(answer.headers["Allow"].lower().split(",")) - {"head"}
            assert allowed == set(operations), (method, path)


@pytest.mark.parametrize(("method", "path", "operation"), [one for one in OPERATIONS if one[1].startswith("/v1")])
def test_the_query_parameters_are_those_that_the_service_knows(
    method: str,
    path: str,
    operation: dict[str, list[dict[str, str]]],
    service: ServiceProcess,
    authorization: dict[str, str],
) -> None:
    url = service.url + _filled(path)
    answer = httpx.request(method, url, params={"stranger": "1"}, headers=authorization)
    assert answer.status_code == 400
    (error,) = (error for error in answer.json()["errors"] if error["code"] == "PARAMETER_UNKNOWN")
    told = set(error["message"].removeprefix("parameters here: ").split(", ")) - {"none"}
    described = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
    assert {re.sub(r"^attributes\..*", "attributes.", name) for name in described} == told


def test_each_code_is_described_with_its_status() -> None:
    responses = DOCUMENT["components"]["responses"]
    described = {
        (int(status), code)
        for status, response in responses.items()
        for code in response["content"]["application/json"]["schema"]["allOf"][1]["properties"]["errors"]["items"][
            "properties"
        ]["code"]["enum"]
    }
    assert described == {(int(text[:3]), code) for code, text in CODES.items()}


def test_the_service_serves_it_with_an_entity_tag(service: ServiceProcess) -> None:
    answer = httpx.get(f"{service.url}/openapi.json")
    assert answer.json() == DOCUMENT
    again = httpx.get(f"{service.url}/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def _filled(path: str) -> str:
    return path.replace("{id}", ID).replace("{comment_id}", ID).replace("{name}", "count").replace("{position}", "1")
