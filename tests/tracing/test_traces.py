"""A request, its command, the batch it was recorded in and the followers that applied it are spans of one trace."""

import asyncio
import time
from pathlib import Path

import pytest

from projections.read_models import FOLLOWER
from tests.http.api import ABSENT_ID, PATH, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.tracing.receiver import Collector

ROOT = Path(__file__).parents[2]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}


@both_engines
async def test_from_the_request_to_the_followers_it_is_one_trace(
    serve: Serve, collector: Collector, redis_url: str
) -> None:
    api = await serve(otlp_endpoint=collector.url, redis_url=redis_url)
    answer = await api.post(PATH, incident(), headers=SENT)
    async with asyncio.timeout(20):
        while not (published := (await api.get("/v1/events")).data):
            await asyncio.sleep(0.05)
        while (await api.get("/status")).body["followers"][0]["lag_events"]:
            await asyncio.sleep(0.05)
        while any(state["lag_events"] for state in (await api.get("/status")).body["followers"]):
            await asyncio.sleep(0.05)
    await api.stop()
    spans = collector.of(TRACE)
    assert spans.keys() == {f"POST {PATH}", "command IncidentReported", "batch", FOLLOWER, "publisher"}
    request, command = spans[f"POST {PATH}"], spans["command IncidentReported"]
    assert request.parent == SPAN
    assert request.attributes == {
        "http.request.method": "POST", "http.route": PATH, "http.response.status_code": 201,
    }  # fmt: skip
    assert command.parent == request.id
    assert {spans[name].parent for name in ("batch", FOLLOWER, "publisher")} == {command.id}
    assert spans["batch"].attributes == {"ims.batch.events": 1}
    assert published[0]["traceparent"] == f"00-{TRACE}-{command.id}-01"
    assert command.attributes == {"ims.position": int(answer.headers["Ims-Position"])}


async def test_a_request_without_a_trace_begins_one_that_its_failure_names(serve: Serve, collector: Collector) -> None:
    api = await serve(otlp_endpoint=collector.url)
    answer = await api.get(at(ABSENT_ID))
    await api.stop()
    (span,) = collector.of(answer.body["trace_id"]).values()
    assert (span.name, span.parent, span.failed) == (f"GET {PATH}/{{id}}", "", False)
    assert span.attributes["http.response.status_code"] == 404


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_a_command_that_lost_a_race_is_a_failed_span_and_no_two_spans_are_the_same(
    serve: Serve, collector: Collector, database_url: str
) -> None:
    """Two processes decide the same at once; the loser decides again, in the same trace."""
    one = await serve(otlp_endpoint=collector.url)
    two = await serve(otlp_endpoint=collector.url)
    incident_id = (await one.report())["id"]
    for each in (one, two):
        await each.patch(at(incident_id), {"name": f"Known to both {each is one}"})
    calls = (api.patch(at(incident_id), {"name": f"Version {n}"}) for n in range(20) for api in (one, two))
    assert {answer.status for answer in await asyncio.gather(*calls)} == {200}
    await one.stop()
    await two.stop()
    lost = [span for span in collector.spans if span.failed]
    assert {span.attributes["error.type"] for span in lost} == {"Conflict"}
    assert len({(span.trace, span.id) for span in collector.spans}) == len(collector.spans)


async def test_a_part_of_the_traces_is_kept_each_of_them_whole(
    serve: Serve, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `deploy/README.md` has it: by the trace's id, and whatever the caller wants of it."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    api = await serve(otlp_endpoint=collector.url)
    low, high = f"{1:032x}", f"{2**128 - 1:032x}"
    for trace, wanted in ((low, "00"), (high, "01")):
        await api.post(PATH, incident(), headers={"traceparent": f"00-{trace}-{SPAN}-{wanted}"})
    async with asyncio.timeout(20):
        while (await api.get("/status")).body["followers"][-1]["lag_events"]:
            await asyncio.sleep(0.05)
    await api.stop()
    assert collector.of(low).keys() == {f"POST {PATH}", "command IncidentReported", "batch", FOLLOWER}
    assert collector.of(high) == {}


async def test_a_collector_that_is_away_holds_nothing_up(serve: Serve) -> None:
    api = await serve(otlp_endpoint="http://127.0.0.1:9")
    await api.report()
    began = time.monotonic()
    await api.stop()
    assert time.monotonic() - began < 15
