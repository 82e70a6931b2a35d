"""Which texts, times and numbers are taken, and that they come back as they were sent."""

import json
from datetime import UTC, datetime
from typing import Any

from domain.edits import complete
from domain.event import Act
from domain.incident import Incident
from service.randomness import random_id
from tests.http.api import PATH, Api, at, incident
from tests.http.engines import both_engines

LIMITS = {"name": 200, "description": 20_000, "reported_by": 200, "location": 500}
GRIN = "\U0001f600"


def json_with(name: str, escaped: str) -> bytes:
    """A report whose member holds this JSON text, which no encoder would write."""
    return incident_json(**{name: "PLACE"}).replace('"PLACE"', f'"{escaped}"').encode()


def incident_json(**members: Any) -> str:

    return json.dumps(incident(**members))


@both_engines
async def test_lengths_count_code_points(api: Api) -> None:
    for character in ["x", "é", GRIN, "\u0001", "\\", "\u200b", "\ufeff", "\uffff"]:
        longest = {name: "." + character * (limit - 1) for name, limit in LIMITS.items()}
        created = await api.report(**longest)
        assert {name: created[name] for name in longest} == longest
        assert (await api.get(at(created["id"]))).data == created
        too_long = {name: text + character for name, text in longest.items()}
        assert (await api.post(PATH, incident(**too_long))).faults == {("TEXT_TOO_LONG", name) for name in LIMITS}


async def test_nothing_is_trimmed_or_normalised(api: Api) -> None:
    texts = {"name": "  e\u0301 \n", "description": "\tA\r\n ", "reported_by": "\u00e9 ", "location": "   "}
    created = await api.report(**texts)
    assert {name: created[name] for name in texts} == texts


async def test_a_required_text_needs_a_character_that_can_be_seen(api: Api) -> None:
    for blank in [
        "", " ", "\t\n", "\u00a0", "\u3000\u2003", "\u200b", "\u2800", "\u202e", "\u3164", "\ufeff", "\u00ad \u2060",
        "\u0001", "\U000e0041\U000e007f",
    ]:  # fmt: skip
        answer = await api.post(PATH, incident(name=blank, description=blank, reported_by=blank, location=blank))
        assert answer.faults == {("TEXT_EMPTY", "name"), ("TEXT_EMPTY", "description"), ("TEXT_EMPTY", "reported_by")}
    created = await api.report(name="\u202eevil\u200b", description="\u200d👩\u200d🚒", reported_by="\u3164é")
    path, comment = at(created["id"]), (await api.comment(created["id"]))["id"]
    for member in ("name", "description", "reported_by"):
        (await api.put(path, incident(**{member: "\u200b", "occ_lock": 0}))).refused(400, "TEXT_EMPTY", member)
        (await api.patch(path, {member: "\u200b"})).refused(400, "TEXT_EMPTY", member)
    (await api.post(f"{path}/comments", {"text": "\u2800"})).refused(400, "TEXT_EMPTY", "text")
    edit = {"text": "\u2800", "occ_lock": 0}
    (await api.put(f"{path}/comments/{comment}", edit)).refused(400, "TEXT_EMPTY", "text")
    erasure = {"fields": "all", "reason": "\u2800"}
    (await api.by(roles=("eraser",)).post(f"{path}/erase", erasure)).refused(400, "TEXT_EMPTY", "reason")
    answer = await api.patch(path, {"name": "\u200b", "next_update": -1})
    assert answer.faults == {("TEXT_EMPTY", "name"), ("NUMBER_OUT_OF_RANGE", "next_update")}
    assert (await api.get(path)).data == created


async def test_a_text_of_before_that_rule_is_read_and_may_stay(api: Api) -> None:
    old, blank = random_id(), {**complete(incident()), "name": "\u200b", "reported_by": "\u2800"}
    act = Act(api.tenant, api.user, "Ann", random_id(), "0" * 31 + "1", datetime.now(UTC))
    done = await api.parts.commands.create(
        act, lambda _: Incident.begin(Incident.IncidentReported, old, act, details=blank, attributes={})
    )
    path, sent = at(str(old)), incident(name="\u200b", reported_by="\u2800", location="Here")
    told = await api.get(path, headers={"Ims-Min-Position": str(done.position)})
    assert told.data["name"] == "\u200b"
    assert (await api.put(path, {**sent, "occ_lock": 0})).data["location"] == "Here"
    assert (await api.patch(path, {"name": "\u200b", "location": "There"})).data["location"] == "There"
    (await api.put(path, {**sent, "name": "\u200c", "occ_lock": 2})).refused(400, "TEXT_EMPTY", "name")
    answer = await api.put(path, {**sent, "reported_by": "\u200c", "next_update": -1, "occ_lock": 2})
    assert answer.faults == {("TEXT_EMPTY", "reported_by"), ("NUMBER_OUT_OF_RANGE", "next_update")}


async def test_a_zero_character_is_refused_by_its_member(api: Api) -> None:
    for member in ["name", "description", "reported_by", "location", "status", "type", "severity"]:
        (await api.post(PATH, data=json_with(member, r"a\u0000b"))).refused(400, "TEXT_INVALID", member)


async def test_a_lone_surrogate_is_refused(api: Api) -> None:
    for escaped in [r"\ud800", r"\udc00", r"a\udfffb", r"\ud800\ud800", r"\udc00\ud800"]:
        for member in ("name", "location", "status", escaped):
            assert (await api.post(PATH, data=json_with(member, escaped))).status == 400
        id = (await api.report())["id"]
        body = f'{{"text":"{escaped}"}}'.encode()
        assert (await api.post(at(id, "comments"), data=body)).status == 400
        body = f'{{"name":"workflowId","value":"{escaped}"}}'.encode()
        assert (await api.post(at(id, "attributes"), data=body)).status == 400


async def test_a_pair_of_surrogates_is_one_character(api: Api) -> None:
    assert (await api.post(PATH, data=json_with("name", r"\ud83d\ude00"))).data["name"] == GRIN


async def test_what_is_no_text_in_a_path_is_absent_and_in_a_query_refused_or_harmless(api: Api) -> None:
    for text in ["%00", "a%00", "%ED%A0%80", "%ed%bf%bf", "%ff", "%c3", "%", "%zz"]:
        for path in (at(text), at(text, "comments"), f"{PATH}/attributes/{text}"):
            assert (await api.deployer.delete(path)).status in (400, 404)
        assert (await api.get(at(text))).status == 404
        for query in (f"status={text}", f"q={text}", f"reported_by={text}", f"attributes.workflowId={text}"):
            assert (await api.get(f"{PATH}?{query}")).status in (200, 400)
        if "%00" in text:
            assert (await api.get(f"{PATH}?reported_by={text}")).refused(400, "PARAMETER_INVALID", "reported_by")


async def test_a_parameter_that_nobody_knows_may_have_any_name(api: Api) -> None:
    for name in ("%00", "%ED%A0%80", "%ff", "attributes.%00", "attributes.", GRIN):
        assert (await api.get(f"{PATH}?{name}=1")).status == 400


@both_engines
async def test_times_come_back_exactly_as_they_were_sent(api: Api) -> None:
    for moment in (
        "2024-11-11T10:57:27Z", "2024-11-11T10:57:27+08:00", "2024-11-11T10:57:27.5-11:30",
        "2024-11-11T10:57:27.123456789+00:00", "2024-11-11T10:57:27.000000000Z", "2024-02-29T23:59:59-00:00",
        "1000-01-01T00:00:00Z", "2999-12-31T23:59:59.999999999Z", "1000-01-01T08:00:00+08:00",
    ):  # fmt: skip
        created = await api.report(date=moment, resolved_date=moment)
        assert (created["date"], created["resolved_date"]) == (moment, moment)
        assert (await api.get(at(created["id"]))).data == created


@both_engines
async def test_times_that_are_written_otherwise_come_back_as_rfc_3339_has_them(api: Api) -> None:
    await api.deployer.post(f"{PATH}/attributes", {"name": "seen", "type": "DATETIME"})
    for sent, stored in {
        "2024-11-11T10:57:27+0000": "2024-11-11T10:57:27+00:00",
        "2024-11-11t10:57:27z": "2024-11-11T10:57:27Z",
        "2024-11-11t10:57:27.5-1130": "2024-11-11T10:57:27.5-11:30",
        "2024-11-11T10:57:27+08": "2024-11-11T10:57:27+08:00",
    }.items():
        created = await api.report(date=sent, resolved_date=sent, attributes={"seen": sent})
        path = at(created["id"])
        assert (created["date"], created["resolved_date"], created["attributes"]) == (stored, stored, {"seen": stored})
        assert (await api.get(path)).data == created
        again = await api.patch(path, {"date": sent, "resolved_date": sent, "attributes": {"seen": sent}})
        assert again.data["occ_lock"] == 0, "nothing changed"
        query = sent.replace("+", "%2B")
        for name in (f"attributes.seen={query}", f"date_from={query}&date_to={query.replace(':27', ':28', 1)}"):
            assert created["id"] in await api.ids(f"?{name}"), name
        assert (await api.get(f"{path}?as_of={query.replace('2024', '2999')}")).data == created


async def test_what_is_no_such_time_is_refused(api: Api) -> None:
    for moment in [
        "", "2024-11-11", "2024-11-11T10:57:27", "2024-11-11 10:57:27Z", "2024-11-11T10:57Z",
        "2024-11-11T10:57:27+080", "2024-11-11T10:57:27+8", "2024-11-11T10:57:27.Z", "2016-12-31T23:59:60Z",
        "2024-11-11T10:57:27.1234567890Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
        "2024-11-11T24:00:00Z", "2024-11-11T10:57:27+24:00", "2024-11-11T10:57:27+08:60", "0999-12-31T23:59:59Z",
        "3000-01-01T00:00:00Z", "1000-01-01T00:00:00+00:01", "2999-12-31T23:59:59-00:01", " 2024-11-11T10:57:27Z",
        "2024-11-11T10:57:27Z\n", "２024-11-11T10:57:27Z", "2024-11-11T10:57:27−08:00", "+2024-11-11T10:57:27Z",
        1731322647, True, [], {},
    ]:  # fmt: skip
        code = "TIME_INVALID" if isinstance(moment, str) else "TYPE_INVALID"
        answer = await api.post(PATH, incident(date=moment, resolved_date=moment))
        assert answer.status == 400
        assert answer.faults == {(code, "date"), (code, "resolved_date")}


async def test_next_update_is_whole_seconds_within_range(api: Api) -> None:
    for value, code in [
        (-1, "NUMBER_OUT_OF_RANGE"), (253402300800, "NUMBER_OUT_OF_RANGE"), (2**63, "NUMBER_OUT_OF_RANGE"),
        (2**64 - 1, "NUMBER_OUT_OF_RANGE"), (1.5, "TYPE_INVALID"), ("1", "TYPE_INVALID"), (True, "TYPE_INVALID"),
        ([], "TYPE_INVALID"),
    ]:  # fmt: skip
        (await api.post(PATH, incident(next_update=value))).refused(400, code, "next_update")


async def test_next_update_takes_the_whole_range(api: Api) -> None:
    for value in (0, 1674521800, 253402300799):
        assert (await api.report(next_update=value))["next_update"] == value


async def test_an_integer_may_be_written_as_any_number_that_it_is(api: Api) -> None:
    await api.deployer.post(f"{PATH}/attributes", {"name": "people", "type": "INT"})
    for written, value in {"2.0": 2, "1e3": 1000, "-0.0": 0, "1.5E1": 15, "2534023007990e-1": 253402300799}.items():
        body = incident_json(next_update="A", attributes={"people": "A"}).replace('"A"', written).encode()
        created = await api.post(PATH, data=body)
        assert b'"next_update":%d,' % value in created.raw
        assert b'"attributes":{"people":%d}' % value in created.raw
        path = at(created.data["id"])
        assert (await api.put(path, data=incident_json(occ_lock="A").replace('"A"', "0.0").encode())).status == 200
        reverted = (await api.post(f"{path}/revert", {"version": 0.0, "occ_lock": 1e0})).data
        assert reverted["next_update"] == value
        assert (await api.delete(path, {"occ_lock": float(reverted["occ_lock"])})).status == 200
        (await api.post(f"{path}/restore", {"occ_lock": 3.5})).refused(400, "TYPE_INVALID", "occ_lock")


async def test_a_lock_is_a_whole_number_within_range(api: Api) -> None:
    for lock in [-1, 2**31, 1.5, "0", True, [], {}]:
        path = at((await api.report())["id"])
        for answer in (await api.put(path, incident(occ_lock=lock)), await api.delete(path, {"occ_lock": lock})):
            assert answer.status == 400
            assert answer.error["field"] == "occ_lock"
        assert (await api.put(path, incident(occ_lock=2**31 - 1))).status == 409


async def test_a_number_beyond_64_bits_or_not_finite_is_no_json(api: Api) -> None:
    for number in [
        "18446744073709551616",
        "-9223372036854775809",
        "1" * 400,
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "1" + "0" * 5000,
    ]:
        body = incident_json(next_update=0).replace('"next_update": 0', f'"next_update": {number}').encode()
        assert number.encode() in body
        (await api.post(PATH, data=body)).refused(400, "JSON_INVALID")
        ignored = incident_json(created_by="PLACE").replace('"PLACE"', number).encode()
        (await api.post(PATH, data=ignored)).refused(400, "JSON_INVALID")


async def test_digits_in_a_text_are_no_number(api: Api) -> None:
    digits = "1" * 200
    assert (await api.report(name=digits))["name"] == digits


async def test_what_is_no_json_object_in_utf_8_is_refused(api: Api) -> None:
    for body in [
        b"{", b"[]", b"null", b"1", b'"text"', b"{}{}", b"{'name': 1}", b'{"name": 1,}', b'{"name"}', b"\xff", b"\x00",
        b'{"name": "\xff"}', b'{"name": "\xed\xa0\x80"}', b'{"name": "\t"}', b'\xef\xbb\xbf\xef\xbb\xbf{}',
        '{"name": "x"}'.encode("utf-16"), '{"name": "x"}'.encode("utf-32"), b"[" * 100_000, b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 5000 + b"1111111111111111111" + b"}" * 5000, b" ", b"name=x",
    ]:  # fmt: skip
        answer = await api.post(PATH, data=body)
        assert answer.status == 400
        assert answer.code in ("JSON_INVALID", "BODY_INVALID")


async def test_the_last_of_two_members_of_one_name_counts(api: Api) -> None:
    body = incident_json().replace('"name": "Server outage"', '"name": "First", "name": "Second"').encode()
    assert (await api.post(PATH, data=body)).data["name"] == "Second"


async def test_escapes_and_white_space_of_json_are_read(api: Api) -> None:
    body = (
        b' \r\n\t{ "\\u006eame" : "\\u00e9\\/" ' + incident_json().replace('"name": "Server outage"', "").encode()[1:]
    )
    assert (await api.post(PATH, data=body)).data["name"] == "é/"
