"""What the bench says of many incidents is said of those: they are there, and its lists are the right ones."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request as Call
from urllib.request import urlopen

import pytest

from tests.bench.growth import RESULTS
from tests.bench.list_requests import BY_CURSOR, cursors, deep, narrowed
from tests.bench.many_incidents import TENANT, serving, write_ids
from tests.bench.plots.drawing import draw
from tests.bench.traffic import PAGE, Request
from tests.bench.whole_list import whole_list
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

INCIDENTS = 1_200


@pytest.fixture(scope="module")
def service(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with serving(postgres, tmp_path_factory.mktemp("bench"), INCIDENTS) as service:
        yield service


def answer(service: ServiceProcess, request: Request) -> Any:
    headers = {"Authorization": f"Bearer {service.token(tenant=TENANT)}"}
    with urlopen(Call(service.url + request.target, headers=headers)) as response:
        return json.load(response)["data"]


def test_a_page_deep_inside_comes_after_as_many_as_were_asked_for(service: ServiceProcess) -> None:
    found = answer(service, deep(service.url, service.token(tenant=TENANT), 1_100))
    assert found["total"] == INCIDENTS
    assert [one["name"] for one in found["incidents"]] == [f"Number {n}" for n in range(100, 100 - PAGE, -1)]


def test_pages_by_cursor_follow_each_other(service: ServiceProcess) -> None:
    names = [
        one["name"]
        for cursor in cursors(service.url, service.token(tenant=TENANT), 1_050, 2)
        for one in answer(service, Request("GET", BY_CURSOR.target.replace("{id}", cursor), 200))["incidents"]
    ]
    assert names == [f"Number {n}" for n in range(150, 50, -1)]


def test_a_narrowed_list_tells_how_many_there_are(service: ServiceProcess) -> None:
    found = answer(service, narrowed(status="CLOSED", severity="LOW"))
    assert PAGE == len(found["incidents"]) < found["total"] < INCIDENTS
    assert {(one["status"], one["severity"]) for one in found["incidents"]} == {("CLOSED", "LOW")}


def test_the_whole_list_is_read_to_its_end(service: ServiceProcess) -> None:
    everything = answer(service, Request("GET", "/v1/incident", 200))["incidents"]
    assert len(everything) == INCIDENTS
    found = whole_list(service, service.token(tenant=TENANT))
    assert found.bytes > len(json.dumps(everything, separators=(",", ":")))
    assert found.rate > 0


def test_ids_are_of_incidents_all_over_the_tenant(service: ServiceProcess, tmp_path: Path) -> None:
    write_ids(tmp_path / "ids", INCIDENTS, 3)
    names = [
        answer(service, Request("GET", f"/v1/incident/{id}", 200))["name"]
        for id in (tmp_path / "ids").read_text().split()
    ]
    assert names == ["Number 1", "Number 401", "Number 801"]


def test_the_plot_shows_each_figure(tmp_path: Path) -> None:
    results = tmp_path / "growth.json"
    results.write_text(RESULTS.read_text())
    draw(results)
    plot = (tmp_path / "growth.svg").read_text()
    assert all(f">{figure}<" in plot for figure in json.loads(results.read_text())["rates"])
    assert plot == RESULTS.with_suffix(".svg").read_text()
