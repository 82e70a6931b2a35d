"""Too many requests, and the state of the process for machines and people."""

import re

from prometheus_client.parser import text_string_to_metric_families

from projections.read_models import FOLLOWER
from tests.http.api import ABSENT_ID, PATH, Api, at
from tests.http.conftest import Serve
from tests.http.engines import both_engines


async def test_a_tenant_that_sends_too_many_requests_is_told_when_to_come_back(serve: Serve) -> None:
    api = await serve(rate_limit="5/day")
    answers = [
        await api.get(),
        await api.by("bob").get(at(ABSENT_ID)),
        await api.get("/v1/nothing"),
        await api.put(PATH),
        await api.get(f"{PATH}?x=1"),
    ]
    assert [answer.status for answer in answers] == [200, 404, 404, 405, 400]
    for answer in (await api.get(), await api.by("bob").get("/v1/nothing")):
        answer.refused(429, "RATE_LIMITED")
        assert int(answer.headers["Retry-After"]) > 0
    assert (await api.by(tenant="other").get()).status == 200
    for _ in range(10):
        assert (await api.get(authorized=False)).status == 401
        assert (await api.get("/livez")).status == 200


async def test_there_is_no_limit_with_an_embedded_database_unless_it_is_set(serve: Serve) -> None:
    api = await serve(rate_limit="")
    assert {(await api.get(f"{PATH}/codes")).status for _ in range(200)} == {200}


@both_engines
async def test_a_process_says_that_it_lives_and_can_work(api: Api) -> None:
    for path in ("/livez", "/readyz"):
        answer = await api.get(path, authorized=False)
        assert answer.status == 200
    (await api.get("/healthz", authorized=False)).refused(404, "NOT_FOUND")
    answer = await api.send("POST", "/livez", authorized=False)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")


@both_engines
async def test_the_status_tells_of_every_part(api: Api, engine: str) -> None:
    for _ in range(3):
        await api.report()
    await api.get()
    status = (await api.get("/status", authorized=False)).body
    assert status["store"] == engine
    assert status["runs"] == ["api", "projector", "publisher", "auditor"]
    assert status["log"]["head"] == 3
    assert status["error"] is None
    follower = next(state for state in status["followers"] if state["name"] == FOLLOWER)
    assert (follower["position"], follower["lag_events"], follower["lag_seconds"]) == (3, 0, 0)
    assert follower["failure"] is None
    assert follower["holder"]
    assert not re.search("postgresql://|signing-key.*-----", str(status))


async def test_metrics_count_requests_by_route_and_not_by_what_was_sent(api: Api) -> None:
    id = (await api.report())["id"]
    for path in (at(id), at(ABSENT_ID), "/v1/some/path", "/v1/other/path"):
        await api.get(path)
    answer = await api.get("/metrics", authorized=False)
    assert answer.headers["Content-Type"].startswith("text/plain")
    text = answer.raw.decode()
    assert id not in text
    assert "acme" not in text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    requests = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for sample in samples
        if sample.name == "ims_http_requests_total"
    }
    found = {status: n for (route, status), n in requests.items() if "{id}" in route}
    assert found == {"200": 1, "404": 1}
    assert requests["unknown", "404"] == 2
    values = {sample.name: sample.value for sample in samples if not sample.labels}
    assert (values["ims_log_head"], values["ims_read_models_position"]) == (1, 1)
