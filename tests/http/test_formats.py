"""Lists, histories and counts as CSV and NDJSON: by `Accept` or `format`, row for row what JSON says."""

import asyncio
import csv
import io
from typing import Any
from urllib.parse import urljoin

import orjson
import pytest
from yarl import URL

from projections.pages import CHUNK
from service.http.formats import CSV, NDJSON, OFFERED
from service.http.tabular import BOM, cell
from tests.http.api import ABSENT_ID, PATH, Answer, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.http.test_lists import reported

JSON = "application/json"
LINES = NDJSON[0]
EVERYTHING = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def rows(answer: Answer) -> list[dict[str, str]]:
    """By column."""
    assert (answer.status, answer.headers["Content-Type"]) == (200, CSV), answer.raw
    head, *rest = csv.reader(io.StringIO(answer.raw.decode("utf-8-sig"), newline=""), strict=True)
    return [dict(zip(head, row, strict=True)) for row in rest]


def documents(answer: Answer) -> list[Any]:
    assert (answer.status, answer.headers["Content-Type"]) == (200, LINES), answer.raw
    return [orjson.loads(line) for line in answer.raw.decode().splitlines()]


def flat(document: dict[str, Any], columns: list[str]) -> dict[str, str]:
    """The row of an incident whose every attribute has a column."""
    attributes = document["attributes"] or {}
    shown = {**document, "attributes": None, **{f"attributes.{name}": value for name, value in attributes.items()}}
    return {column: cell(shown.get(column)) for column in columns}


async def with_incidents(api: Api) -> list[Any]:
    """Some that differ, and all of them as JSON lists them."""
    for n in range(7):
        await api.report(
            name=f"Zürich, „{n}“\n\u2028=1", reported_by='},{"},{"id":"', severity="HIGH" if n % 3 else "",
            location="=1+1" if n % 2 else "",
            attributes={"count": -n, "workflowId": "@x"} if n % 2 else None, backdated=n == 3,
        )  # fmt: skip
    return list((await api.get()).data["incidents"])


async def lists_of(api: Api) -> list[str]:
    """A path of each kind."""
    id = (await api.report())["id"]
    await api.comment(id)
    return [PATH, f"{PATH}/counts", f"{PATH}/codes", f"{PATH}/attributes", at(id, "history"), at(id, "comments")]


async def test_every_list_can_be_had_in_every_format_by_accept_or_by_parameter(api: Api) -> None:
    for path in await lists_of(api):
        for accept, media_type in (
            ("*/*", JSON), ("application/*", JSON), (EVERYTHING, JSON), (f"{JSON}, text/plain, */*", JSON), ("", JSON),
            ("text/csv", CSV), ("text/*", CSV), (f"{JSON};q=0.5, text/csv", CSV), *((name, name) for name in NDJSON),
        ):  # fmt: skip
            answer = await api.get(path, headers={"Accept": accept})
            assert (answer.status, answer.headers["Content-Type"]) == (200, media_type), (path, accept)
        for name, media_type in (("json", JSON), ("csv", CSV), ("ndjson", LINES)):
            for accept in ("*/*", "text/csv", LINES, "image/png"):
                answer = await api.get(f"{path}?format={name}", headers={"Accept": accept})
                assert (answer.status, answer.headers["Content-Type"]) == (200, media_type), (path, name, accept)
                assert "Accept" in ", ".join(answer.headers.getall("Vary")), (path, name)
                head = await api.send("HEAD", f"{path}?format={name}")
                assert {**head.headers, "Date": ""} == {**answer.headers, "Date": ""}
                assert (head.status, head.raw) == (200, b"")
        twice = await api.get(path, headers=[("Accept", "image/png"), ("Accept", "text/csv")])
        assert twice.headers["Content-Type"] == CSV


async def test_what_is_not_there_is_406_and_says_what_is(api: Api) -> None:
    for path in await lists_of(api):
        for accept in ("image/png", "application/xml, text/html", "*/*;q=0", "text/csv; header=absent"):
            answer = await api.get(path, headers={"Accept": accept})
            error = answer.refused(406, "NOT_ACCEPTABLE", "Accept")
            assert all(media_type in error["message"] for media_type in OFFERED)
            assert answer.headers["Content-Type"] == JSON
            assert "Accept" in ", ".join(answer.headers.getall("Vary"))
            assert (await api.send("HEAD", path, headers={"Accept": accept})).status == 406


async def test_what_cannot_be_written_so_is_400_in_json_whatever_is_accepted(api: Api) -> None:
    for path in await lists_of(api):
        for accept in ("*/*", "text/csv", LINES, "image/png"):
            headers = {"Accept": accept}
            answers = [await api.get(f"{path}?format={name}", headers=headers) for name in ("xml", "", "CSV", "csv%20")]
            for answer in answers:
                answer.refused(400, "PARAMETER_INVALID", "format")
            twice = await api.get(f"{path}?format=csv&format=json", headers=headers)
            twice.refused(400, "PARAMETER_REPEATED", "format")
            for query in ("format=json&bom=true", "format=ndjson&bom=true", "format=csv&bom=1"):
                (await api.get(f"{path}?{query}", headers=headers)).refused(400, "PARAMETER_INVALID", "bom")
            assert all(answer.headers["Content-Type"] == JSON for answer in answers)
        (await api.get(f"{path}?format=csv&stranger=1")).refused(400, "PARAMETER_UNKNOWN", "stranger")
        assert (await api.get(path, headers={"Accept": "text/csv"}, authorized=False)).code == "TOKEN_MISSING"
    headers = {"Accept": "text/csv"}
    (await api.get(at(ABSENT_ID, "history"), headers=headers)).refused(404, "NOT_FOUND")
    (await api.get(at(ABSENT_ID, "comments"), headers=headers)).refused(404, "NOT_FOUND")
    (await api.get(f"{PATH}?format=csv&cursor=x")).refused(400, "CURSOR_INVALID", "cursor")
    for accept in ("text/csv", "image/png"):  # what has one form has it whatever is accepted
        assert (await api.get(at((await api.report())["id"]), headers={"Accept": accept})).status == 200


@both_engines
async def test_rows_are_what_json_lists_whole_or_by_pages_filtered_sorted_and_in_the_past(api: Api) -> None:
    every = await with_incidents(api)
    then = every[0]["created_at"]
    await api.delete(at(every[-1]["id"]))
    for query in (
        "", "sort=name,asc", "severity=HIGH", "attributes.count=-3", "backdated=true", "q=z%C3%BCrich", "q=nothing",
        f"as_of={then}", "page=1", "page=2&size=3&sort=severity,asc", "size=2&severity=", "page=9",
    ):  # fmt: skip
        wanted = (await api.get(f"{PATH}?{query}")).data["incidents"]
        table = await api.get(f"{PATH}?{query}&format=csv")
        columns = table.raw.decode().split("\r\n")[0].split(",")
        assert rows(table) == [flat(document, columns) for document in wanted], query
        assert documents(await api.get(f"{PATH}?{query}&format=ndjson")) == wanted, query
    assert "'=1+1" in {row["location"] for row in rows(await api.get(f"{PATH}?format=csv"))}


@both_engines
async def test_a_long_list_is_streamed(api: Api) -> None:
    ids = set(await reported(api, 2 * CHUNK + 3))
    table = await api.get(f"{PATH}?sort=name,asc", headers={"Accept": "text/csv"})
    lines = await api.get(f"{PATH}?sort=name,asc", headers={"Accept": LINES})
    wanted = (await api.get(f"{PATH}?sort=name,asc")).data["incidents"]
    assert {document["id"] for document in wanted} == ids
    assert [row["id"] for row in rows(table)] == [document["id"] for document in wanted]
    assert documents(lines) == wanted
    for answer in (table, lines, await api.send("HEAD", f"{PATH}?format=csv")):
        assert "Content-Length" not in answer.headers
        assert "Ims-Total" not in answer.headers
    assert table.headers["Content-Disposition"] == 'attachment; filename="incidents.csv"'
    assert lines.headers["Content-Disposition"] == 'attachment; filename="incidents.ndjson"'


@both_engines
async def test_a_link_leads_from_page_to_page(api: Api) -> None:
    every = [document["id"] for document in await with_incidents(api)]
    id = every[0]
    for text in ("One", "Two", "Three"):
        await api.comment(id, text)
    comments = [comment["id"] for comment in (await api.get(at(id, "comments"))).data["comments"]]
    positions = [str(change["position"]) for change in (await api.get(at(id, "history"))).data["history"]]
    filtered = f"{PATH}?sort=name&attributes.workflowId=%40x&date_to=2030-01-01T00:00:00%2B02:00"
    for path, column, wanted in (
        (f"{PATH}?cursor=&size=2", "id", every),
        (f"{PATH}?size=3", "id", every),
        (f"{PATH}?page=1&size=7", "id", every),
        (f"{filtered}&size=2", "id", await api.ids(filtered.removeprefix(PATH))),
        (f"{filtered}&size=2&cursor=", "id", await api.ids(filtered.removeprefix(PATH))),
        (f"{at(id, 'comments')}?cursor=&size=2", "id", comments),
        (f"{at(id, 'comments')}?size=1", "id", comments),
        (f"{at(id, 'history')}?cursor=&size=3", "position", positions),
        (f"{at(id, 'history')}?page=1&size=2", "position", positions),
    ):
        for headers, parameter in (({"Accept": "text/csv"}, ""), ({}, "&format=csv"), ({}, "&format=ndjson")):
            found, here = [], path + parameter
            while here:
                answer = await api.get(here, headers=headers)
                page = documents(answer) if "ndjson" in parameter else rows(answer)
                assert page, here  # no link leads to nothing
                found += [str(row[column]) for row in page]
                assert answer.headers["Ims-Total"] == str(len(wanted))
                link, _, relation = answer.headers.get("Link", "").partition(">; ")
                assert relation == ('rel="next"' if link else "")
                here = urljoin(here, link.removeprefix("<")) if link else ""
            assert list(dict.fromkeys(found)) == wanted, path  # a change may have several rows


async def test_a_link_survives_what_the_query_holds(api: Api) -> None:
    for _ in range(2):
        await api.report(reported_by='<a>; "b" %41 + é')
    path = f"{PATH}?size=1&format=csv&reported_by=" + "%3Ca%3E;%20%22b%22%20%2541+%2B+%C3%A9"
    answer = await api.get(path)
    assert len(rows(answer)) == 1
    link = URL(answer.headers["Link"].partition(">;")[0].removeprefix("<"), encoded=True)
    assert dict(link.query) == {**URL(path, encoded=True).query, "page": "2"}
    assert len(rows(await api.get(urljoin(path, str(link))))) == 1


async def test_pages_in_memory_are_those_in_json_alone(api: Api) -> None:
    await api.report()
    path = f"{PATH}?page=1&size=5"
    for _ in range(3):
        assert (await api.get(path)).data["total"] == 1
        assert len(rows(await api.get(path, headers={"Accept": "text/csv"}))) == 1
        assert len(documents(await api.get(path, headers={"Accept": LINES}))) == 1
        assert (await api.get(f"{path}&format=json", headers={"Accept": "text/csv"})).data["total"] == 1
        assert len(rows(await api.get(f"{path}&format=csv"))) == 1
        assert len(rows(await api.get(f"{path}&f%6Frmat=csv"))) == 1
        (await api.get(path, headers={"Accept": "image/png"})).refused(406, "NOT_ACCEPTABLE", "Accept")
    hits = api.parts.lists.hits
    answer = await api.get(path, headers={"Accept": EVERYTHING})
    assert (answer.data["total"], api.parts.lists.hits) == (1, hits + 1)
    assert "Accept" in ", ".join(answer.headers.getall("Vary"))


@both_engines
async def test_every_attribute_that_was_ever_defined_has_a_column_and_no_value_is_missing(serve: Serve) -> None:
    api = await serve(attributes="old:STRING,count:NUMBER")
    await api.report(name="Before", attributes={"old": "kept", "count": 1.5})
    await api.stop()
    api = await serve(attributes="count:NUMBER", read_timeout=30.0)  # the deployment does not set `old` any more
    await api.deployer.post(f"{PATH}/attributes", {"name": "colour", "type": "STRING"})
    await api.report(name="Red", attributes={"colour": "red"})
    await api.deployer.delete(f"{PATH}/attributes/colour")
    other = api.by(tenant="other")
    await other.deployer.post(f"{PATH}/attributes", {"name": "secret", "type": "STRING"})
    for path in (f"{PATH}?format=csv&sort=name,asc", f"{PATH}?format=csv&sort=name,asc&size=5"):
        table = await api.get(path)
        header = table.raw.decode().split("\r\n")[0]
        assert header.endswith(",tenant_id,occ_lock,attributes,attributes.colour,attributes.count")
        shown = [{name: value for name, value in row.items() if name.startswith("attributes")} for row in rows(table)]
        assert shown == [
            {"attributes": '{"old":"kept"}', "attributes.colour": "", "attributes.count": "1.5"},
            {"attributes": "", "attributes.colour": "red", "attributes.count": ""},
        ]
    empty = await other.get(f"{PATH}?format=csv")
    assert empty.raw.endswith(b",attributes,attributes.count,attributes.secret\r\n")
    assert (await other.get(f"{PATH}?format=ndjson")).raw == b""


async def test_a_history_has_a_row_for_each_changed_field(api: Api) -> None:
    id = (await api.report(location="=1+1"))["id"]
    await api.patch(at(id), {"status": "OPEN", "severity": "HIGH", "attributes": {"count": -5}})
    comment = await api.comment(id, "-1\n2")
    await api.delete(at(id, "comments", comment["id"]))
    await api.delete(at(id))
    await api.post(at(id, "restore"))
    eraser = api.by(roles=("eraser",))
    await eraser.post(at(id, "erase"), {"fields": ["description"], "reason": "@asked"})
    told = (await api.get(at(id, "history"))).data["history"]
    answer = await api.get(at(id, "history"), headers={"Accept": "text/csv"})
    assert answer.headers["Content-Disposition"] == f'attachment; filename="history-{id}.csv"'
    shown = rows(answer)
    assert list(shown[0]) == [
        "position", "occ_lock", "at", "by", "user_id", "what", "comment_id", "field", "from", "to",
        "to_version", "erased", "fields", "reason", "unreadable",
    ]  # fmt: skip
    wanted = [
        (str(change["position"]), change["what"], field, cell(values.get("from")), cell(values.get("to")))
        for change in told
        for field, values in (change.get("changes") or {"": {}}).items()
    ]
    assert [(row["position"], row["what"], row["field"], row["from"], row["to"]) for row in shown] == wanted
    assert {
        ("severity", "", "HIGH"),
        ("attributes.count", "", "-5"),
        ("text", "", "'-1\n2"),
        ("text", "'-1\n2", ""),
    } < {(row["field"], row["from"], row["to"]) for row in shown}
    assert [row["field"] for row in shown if row["what"] in ("ims.incident.deleted", "ims.incident.restored")] == [
        ""
    ] * 2
    assert {row["comment_id"] for row in shown} == {"", comment["id"]}
    assert (shown[-1]["fields"], shown[-1]["reason"]) == ('["description"]', "'@asked")
    assert documents(await api.get(f"{at(id, 'history')}?format=ndjson")) == told


async def test_counts_codes_and_definitions_are_short_tables(api: Api) -> None:
    await asyncio.gather(api.report(), api.report(severity="HIGH"))
    counts = (await api.get(f"{PATH}/counts")).data
    table = await api.get(f"{PATH}/counts?format=csv")
    assert table.raw.startswith(b"table,code,count\r\nstatus,NEW,2\r\n")
    assert b"severity,,1\r\n" in table.raw
    assert table.headers["Ims-Total"] == "2"
    assert table.headers["Content-Disposition"] == 'attachment; filename="counts.csv"'
    lines = documents(await api.get(f"{PATH}/counts?format=ndjson"))
    assert [{**line, "count": str(line["count"])} for line in lines] == rows(table)
    for member in ("status", "type", "severity"):
        assert {line["code"]: line["count"] for line in lines if line["table"] == member} == counts[member]
    codes = (await api.get(f"{PATH}/codes")).data
    assert documents(await api.get(f"{PATH}/codes?format=ndjson")) == [
        {"table": member, "code": code} for member, known in codes.items() for code in known
    ]
    await api.deployer.delete(f"{PATH}/attributes/count")
    for query in ("retired=true", "retired=false"):
        defined = (await api.get(f"{PATH}/attributes?{query}")).data
        assert rows(await api.get(f"{PATH}/attributes?{query}&format=csv")) == defined
    incident_id = (await api.report())["id"]
    await api.comment(incident_id, "=1")
    (comment,) = (await api.get(at(incident_id, "comments"))).data["comments"]
    (row,) = rows(await api.get(at(incident_id, "comments"), headers={"Accept": "text/csv"}))
    assert row == {name: cell(value) for name, value in comment.items()}
    assert row["text"] == "'=1"


async def test_a_byte_order_mark_comes_where_it_is_asked_for(api: Api) -> None:
    await with_incidents(api)
    for path in (f"{PATH}?format=csv", f"{PATH}?format=csv&size=3", f"{PATH}/counts?format=csv"):
        bare = (await api.get(path)).raw
        assert (await api.get(f"{path}&bom=true")).raw == BOM + bare
        assert (await api.get(f"{path}&bom=false")).raw == bare
        assert (await api.get(f"{path.replace('format=csv', 'bom=true')}", headers={"Accept": "text/csv"})).raw[
            :3
        ] == BOM


@pytest.mark.parametrize("members", [{}, {"attributes": {"count": 1}}])
async def test_a_read_in_another_format_waits_for_what_was_written(api: Api, members: dict[str, Any]) -> None:
    answer = await api.post(PATH, incident(**members))
    headers = {"Accept": "text/csv", "Ims-Min-Position": answer.headers["Ims-Position"]}
    (row,) = rows(await api.get(headers=headers))
    assert row["id"] == answer.data["id"]
    beyond = await api.get(headers={"Accept": "text/csv", "Ims-Min-Position": "999999"})
    beyond.refused(400, "POSITION_UNKNOWN", "Ims-Min-Position")
