"""What a list can be narrowed to, and the codes and counts."""

from urllib.parse import quote

from tests.http.api import PATH, Api, at
from tests.http.conftest import Serve
from tests.http.engines import both_engines


async def total(api: Api, query: str) -> int:
    """How many match: the same as a page, as all, and as the cursor counts them."""
    answers = [await api.get(f"{PATH}?{query}{more}") for more in ("", "&page=1&size=1000", "&cursor=&size=1000")]
    totals = {answer.data["total"] for answer in answers} | {len(answer.data["incidents"]) for answer in answers}
    (number,) = totals
    return int(number)


@both_engines
async def test_codes_and_reporters_select_any_of_several(api: Api) -> None:
    await api.report(status="NEW", type="OTHERS", severity="", reported_by="Ann")
    await api.report(status="OPEN", type="SECURITY", severity="LOW", reported_by="Bob, jr.")
    await api.report(status="OPEN", type="OTHERS", severity="HIGH", reported_by='O\'Neil & "co" %_')
    for query, expected in {
        "status=OPEN": 2, "status=OPEN&status=NEW": 3, "status=CLOSED": 0, "type=OTHERS": 2,
        "status=OPEN&type=OTHERS": 1, "severity=": 1, "severity=&severity=LOW": 2, "severity=LOW&severity=LOW": 1,
        "reported_by=Ann": 1, "reported_by=ann": 1, "reported_by=Bob,+jr.": 1, "reported_by=Bob%2C%20jr.": 1,
        "reported_by=Ann&reported_by=Bob, jr.&status=OPEN".replace(" ", "+"): 1, "reported_by=": 0,
        "reported_by=" + quote("O'Neil & \"co\" %_"): 1, "reported_by=%25": 0,
        "severity=&status=NEW&type=OTHERS": 1,
    }.items():  # fmt: skip
        assert await total(api, query) == expected, query


@both_engines
async def test_whether_it_was_backdated(api: Api) -> None:
    await api.report(backdated=True)
    await api.report()
    await api.report()
    assert (await total(api, "backdated=true"), await total(api, "backdated=false")) == (1, 2)
    for text in ("", "1", "True", "yes"):
        (await api.get(f"{PATH}?backdated={text}")).refused(400, "PARAMETER_INVALID", "backdated")
    (await api.get(f"{PATH}?backdated=true&backdated=true")).refused(400, "PARAMETER_REPEATED", "backdated")


@both_engines
async def test_periods_begin_at_from_and_end_before_to_by_the_instant(api: Api) -> None:
    await api.report(date="2024-11-11T10:00:00.000000001+08:00")
    await api.report(date="2024-11-11T02:00:00Z")
    await api.report(date="1000-01-01T00:00:00Z")
    await api.report(date="2999-12-31T23:59:59.999999999Z")
    for query, expected in {
        "date_from=2024-11-11T02:00:00Z": 3, "date_from=2024-11-11T02:00:00.000000001Z": 2,
        "date_from=2024-11-11T02:00:00.000000002Z": 1, "date_to=2024-11-11T02:00:00Z": 1,
        "date_to=2024-11-11T02:00:00.000000001Z": 2, "date_from=1000-01-01T00:00:00Z": 4,
        "date_to=2999-12-31T23:59:59.999999999Z": 3, "date_from=2999-12-31T23:59:59.999999999Z": 1,
        "date_from=2024-11-11T10:00:00%2B08:00&date_to=2024-11-11T10:00:00.1%2B08:00": 2,
        "date_from=2024-11-11T10:00:00+08:00&date_to=2024-11-11T10:00:00.1+08:00": 2,
        "date_from=2024-11-11T10:00:00%2008:00": 3, "date_from=2024-11-10T18:00:00-08:00": 3,
        "date_from=2024-11-11T03:00:00Z&date_to=2024-11-11T01:00:00Z": 0,
    }.items():  # fmt: skip
        assert await total(api, query) == expected, query


@both_engines
async def test_periods_of_the_times_that_the_server_made(api: Api) -> None:
    first, second = await api.report(), await api.report()
    edited = (await api.patch(at(first["id"]), {"name": "Renamed"})).data
    for query, expected in {
        f"created_from={first['created_at']}": 2, f"created_from={second['created_at']}": 1,
        f"created_to={second['created_at']}": 1, f"created_to={first['created_at']}": 0,
        f"created_from={first['created_at'][:-1]}001Z": 1, f"created_to={first['created_at'][:-1]}001Z": 1,
        f"updated_from={edited['updated_at']}": 1, f"updated_to={edited['updated_at']}": 1,
        f"updated_from={second['updated_at']}": 2, "created_from=1000-01-01T00:00:00Z": 2,
        "updated_to=2999-12-31T23:59:59.999999999Z": 2,
    }.items():  # fmt: skip
        assert await total(api, query) == expected, query


async def test_a_period_of_another_form_is_refused(api: Api) -> None:
    for name in ("date_from", "date_to", "created_from", "created_to", "updated_from", "updated_to"):
        for text in ("", "2024-11-11", "2024-11-11T10:00:00", "x", "2024-02-30T00:00:00Z", "1731322647"):
            (await api.get(f"{PATH}?{name}={text}")).refused(400, "PARAMETER_INVALID", name)


@both_engines
async def test_attributes_are_compared_by_their_type(serve: Serve) -> None:
    kinds = {"workflowId": "STRING", "count": "NUMBER", "size": "INT", "open": "BOOLEAN", "due": "DATETIME"}
    api = await serve(attributes=kinds)
    await api.report(
        attributes={"workflowId": "a b", "count": 5, "size": 7, "open": True, "due": "2024-11-11T10:00:00+08:00"}
    )
    await api.report(attributes={"workflowId": "5", "count": 0.5, "size": -7, "open": False})
    await api.report()
    for query, expected in {
        "attributes.workflowId=a+b": 1, "attributes.workflowId=a%20b": 1, "attributes.workflowId=5": 1,
        "attributes.workflowId=A+b": 1, "attributes.workflowId=": 0, "attributes.count=5": 1, "attributes.count=5.0": 1,
        "attributes.count=5e0": 1, "attributes.count=0.5": 1, "attributes.count=6": 0, "attributes.size=-7": 1,
        "attributes.open=true": 1, "attributes.open=false": 1, "attributes.due=2024-11-11T02:00:00Z": 1,
        "attributes.due=2024-11-11T10:00:00.000+08:00": 1, "attributes.due=2024-11-11T10:00:00%2B08:00": 1,
        "attributes.due=2024-11-11T10:00:00Z": 0, "attributes.count=5&attributes.size=7": 1,
        "attributes.count=5&attributes.size=-7": 0,
    }.items():  # fmt: skip
        assert await total(api, query) == expected, query
    for query in ("count=x", "count=", "count=NaN", "size=1.5", "open=yes", "due=soon"):
        name = "attributes." + query.partition("=")[0]
        (await api.get(f"{PATH}?attributes.{query}")).refused(400, "PARAMETER_INVALID", name)
    error = (await api.get(f"{PATH}?attributes.colour=x")).refused(400, "ATTRIBUTE_UNKNOWN", "attributes.colour")
    assert "count, due, open, size, workflowId" in error["message"]
    (await api.get(f"{PATH}?attributes.count=5&attributes.count=5")).refused(
        400, "PARAMETER_REPEATED", "attributes.count"
    )


@both_engines
async def test_every_word_must_occur_in_name_description_or_location(api: Api) -> None:
    await api.report(name="Große STÖRUNG im Netz-Knoten", description="The mail_server 42 fails.", location="Hall B")
    await api.report(name="Mailing list", description="100% full: a_b", location="日本語 テスト")
    for q, expected in {
        "": 2, "störung": 1, "GROSSE": 1, "grosse störung": 1, "STÖRUNG hall": 1, "störung mailing": 0, "hall b": 1,
        "ha": 0, "ha*": 1, "HA*": 1, "mail": 0, "mail*": 2, "mail_server": 1, "server": 0, "mailXserver": 0, "42": 1,
        "4*": 1, "100%": 1, "100": 1, "a_b": 1, "a%b": 0, "axb": 0, "knoten": 1, "netz-knoten": 1, "日本語": 1,
        "日*": 1, "テスト the": 0, "fails. FAILS": 1, "ann": 0, "new": 0, "mail --- %": 0, "mailing --- 🔥 *": 1,
    }.items():  # fmt: skip
        assert await total(api, f"q={quote(q)}") == expected, q
    assert await total(api, "q=hall+b") == 1
    assert await total(api, f"q={quote('é' * 200)}") == 0
    (await api.get(f"{PATH}?q={quote('é' * 201)}")).refused(400, "PARAMETER_INVALID", "q")
    (await api.get(f"{PATH}?q=a&q=b")).refused(400, "PARAMETER_REPEATED", "q")


async def test_an_edit_moves_an_incident_to_where_it_is_found_now(api: Api) -> None:
    path = at((await api.report(name="Alpha", status="NEW", attributes={"count": 1}))["id"])
    await api.patch(path, {"name": "Beta", "status": "OPEN", "attributes": {"count": None, "workflowId": "w"}})
    old, new = ("q=alpha", "status=NEW", "attributes.count=1"), ("q=beta", "status=OPEN", "attributes.workflowId=w")
    assert [await total(api, query) for query in old] == [0, 0, 0]
    assert [await total(api, query) for query in new] == [1, 1, 1]


async def test_many_values_of_one_filter_are_too_many(api: Api) -> None:
    assert (await api.get(f"{PATH}?{'&'.join(['status=NEW'] * 50)}")).status == 200
    (await api.get(f"{PATH}?{'&'.join(['status=NEW'] * 51)}")).refused(400, "PARAMETER_REPEATED", "status")


async def test_codes_are_those_of_the_deployment(serve: Serve) -> None:
    api = await serve()
    assert (await api.get(f"{PATH}/codes")).data == {
        "status": ["NEW", "OPEN", "INVESTIGATING", "RESOLVED", "CLOSED"],
        "type": ["OTHERS", "SYSTEM_FAILURE", "SECURITY", "PERFORMANCE", "MAINTENANCE"],
        "severity": ["", "LOW", "MEDIUM", "MAJOR", "HIGH", "CRITICAL"],
    }
    await api.stop()
    api = await serve(status_codes="A,B", type_codes="T", severity_codes="S")
    assert (await api.get(f"{PATH}/codes")).data == {"status": ["A", "B"], "type": ["T"], "severity": ["", "S"]}
    assert (await api.report(status="B", type="T", severity="S"))["status"] == "B"


@both_engines
async def test_counts_follow_every_change(api: Api) -> None:
    nothing = (await api.get(f"{PATH}/counts")).data
    assert nothing["total"] == 0
    assert set(nothing["status"].values()) | set(nothing["severity"].values()) == {0}
    first = (await api.report(severity="LOW"))["id"]
    await api.report(status="OPEN", type="SECURITY")
    await api.by(tenant="other").report(status="CLOSED")
    await api.patch(at(first), {"status": "OPEN", "severity": None})
    counts = (await api.get(f"{PATH}/counts")).data
    assert counts == {
        "total": 2,
        "status": {"NEW": 0, "OPEN": 2, "INVESTIGATING": 0, "RESOLVED": 0, "CLOSED": 0},
        "type": {"OTHERS": 1, "SYSTEM_FAILURE": 0, "SECURITY": 1, "PERFORMANCE": 0, "MAINTENANCE": 0},
        "severity": {"": 2, "LOW": 0, "MEDIUM": 0, "MAJOR": 0, "HIGH": 0, "CRITICAL": 0},
    }
    await api.delete(at(first))
    assert (await api.get(f"{PATH}/counts")).data["status"]["OPEN"] == 1
    await api.post(at(first, "restore"))
    assert (await api.get(f"{PATH}/counts")).data == counts
