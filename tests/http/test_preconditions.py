"""ETag, If-None-Match and If-Match (RFC 9110), and where a lock may stand."""

from tests.http.api import ABSENT_ID, PATH, Api, at, incident
from tests.http.engines import both_engines

NO_MATCH = (412, "PRECONDITION_FAILED", None)
NO_TAG = (400, "HEADER_INVALID", "If-Match")


@both_engines
async def test_a_client_that_has_the_version_is_told_so(api: Api) -> None:
    path = at((await api.report())["id"])
    assert (await api.get(path)).headers["ETag"] == '"0"'
    for header in ('"0"', 'W/"0"', '"7", "0"', '"x","0" , W/"1"', "*", " * "):
        answer = await api.get(path, headers={"If-None-Match": header})
        assert (answer.status, answer.raw, answer.headers["ETag"]) == (304, b"", '"0"'), header
    assert (await api.get(path, headers=[("If-None-Match", '"7"'), ("If-None-Match", '"0"')])).status == 304
    await api.patch(path, {"name": "Renamed"})
    for header in ('"0"', '"2"', 'W/"0", "10"', '""', '"01"', '"x"', '"1', '1"'):
        answer = await api.get(path, headers={"If-None-Match": header})
        assert answer.status == (400 if header in ('"1', '1"') else 200), header
    assert (await api.send("HEAD", path, headers={"If-None-Match": '"1"'})).status == 304


async def test_a_header_of_another_form_is_refused(api: Api) -> None:
    path = at((await api.report())["id"])
    for header in ("", "0", "'0'", '"0" "1"', '"0",', ',"0"', 'w/"0"', '*, "0"', '"0', "W/0", '"é\u20ac" x'):
        (await api.get(path, headers={"If-None-Match": header})).refused(400, "HEADER_INVALID", "If-None-Match")
        for answer in (
            await api.put(path, incident(), headers={"If-Match": header}),
            await api.patch(path, {"name": "Renamed"}, headers={"If-Match": header}),
            await api.delete(path, headers={"If-Match": header}),
        ):
            answer.refused(400, "HEADER_INVALID", "If-Match")
    assert (await api.get(path)).data["occ_lock"] == 0


@both_engines
async def test_a_write_under_if_match_succeeds_where_it_holds_and_only_there(api: Api) -> None:
    path = at((await api.report())["id"])
    for version, header in enumerate(('"0"', 'W/"1"', '"9", W/"2"', "*", '"x" , "4"')):
        answer = await api.put(path, incident(name=header), headers={"If-Match": header})
        assert (answer.status, answer.data["occ_lock"]) == (200, version + 1), header
    for header in ('"4"', 'W/"6"', '"05"', '"x"', '""', '"5.0"', '"1", "2"', '"99999999999"'):
        for answer in (
            await api.put(path, incident(), headers={"If-Match": header}),
            await api.patch(path, {"name": "Renamed"}, headers={"If-Match": header}),
            await api.delete(path, headers={"If-Match": header}),
            await api.put(f"{path}/attributes", {"name": "count", "value": 1}, headers={"If-Match": header}),
            await api.post(f"{path}/attributes", {"name": "count", "value": 1}, headers={"If-Match": header}),
        ):
            answer.refused(412, "PRECONDITION_FAILED")
    assert (await api.get(path)).data["occ_lock"] == 5
    assert (await api.delete(path, headers={"If-Match": '"5"'})).status == 200
    (await api.post(f"{path}/restore", headers={"If-Match": '"5"'})).refused(412, "PRECONDITION_FAILED")
    assert (await api.post(f"{path}/restore", headers={"If-Match": '"6"'})).status == 200


CODED = (
    '"{}-gzip"', '"{}-br"', '"{}-zstd"', '"{}-deflate"', '"{}--gzip"', '"{};gzip"', '"{}:gzip"', 'W/"{}-gzip"',
    '"{}-GZIP"', '"{}-x-gzip"', '"{}-br-gzip"', '"x", W/"{}--br"',
)  # fmt: skip


@both_engines
async def test_a_tag_that_a_proxy_made_of_ours_is_ours(api: Api) -> None:
    path = at((await api.report())["id"])
    for version, tag in enumerate(CODED):
        answer = await api.get(path, headers={"If-None-Match": tag.format(version)})
        assert (answer.status, answer.headers["ETag"]) == (304, f'"{version}"'), tag
        assert (await api.get(path, headers={"If-None-Match": tag.format(version + 1)})).status == 200
        for stale in (tag.format(version + 1), tag.format(f"0{version}")):
            answer = await api.patch(path, {"name": tag}, headers={"If-Match": stale})
            answer.refused(412, "PRECONDITION_FAILED")
        answer = await api.patch(path, {"name": tag}, headers={"If-Match": tag.format(version)})
        assert answer.data["occ_lock"] == version + 1, tag


async def test_a_tag_with_anything_else_at_its_end_is_another(api: Api) -> None:
    path = at((await api.report())["id"])
    for tag in (
        '"0-foo"', '"0-"', '"0gzip"', '"0 gzip"', '"-gzip"', '"0-gzip-"', '"0-gzipped"', '"0---gzip"', '"00-gzip"',
        '"0_br"', '"0-br-br-br-br"', '"x0-gzip"',
    ):  # fmt: skip
        (await api.delete(path, headers={"If-Match": tag})).refused(*NO_MATCH if " " not in tag else NO_TAG)
    assert (await api.get(path, headers={"If-None-Match": '"0-foo"'})).status == 200


async def test_the_documents_know_their_tags_again_however_a_proxy_marks_them(api: Api) -> None:
    for path in ("/openapi.json", "/asyncapi.json"):
        tag = (await api.get(path)).headers["ETag"].strip('"')
        for sent in (f'"{tag}"', f'W/"{tag}"', f'"{tag}-gzip"', f'"{tag}--gzip"', f'W/"{tag};br"', "*"):
            answer = await api.get(path, headers={"If-None-Match": sent})
            assert (answer.status, answer.raw) == (304, b""), sent
        assert (await api.get(path, headers={"If-None-Match": f'"{tag}-foo"'})).status == 200


async def test_several_lines_of_if_match_are_one_list(api: Api) -> None:
    path = at((await api.report())["id"])
    lines = [("If-Match", '"7"'), ("If-Match", '"0"')]
    assert (await api.patch(path, {"name": "Renamed"}, headers=lines)).data["occ_lock"] == 1


async def test_any_version_does_not_mean_no_incident(api: Api) -> None:
    for answer in (
        await api.put(at(ABSENT_ID), incident(), headers={"If-Match": "*"}),
        await api.delete(at(ABSENT_ID), headers={"If-Match": "*"}),
        await api.get(at(ABSENT_ID), headers={"If-None-Match": "*"}),
    ):
        answer.refused(404, "NOT_FOUND")


async def test_a_replacement_needs_a_lock_in_the_body_or_if_match(api: Api) -> None:
    path = at((await api.report())["id"])
    (await api.put(path, incident())).refused(400, "MEMBER_MISSING", "occ_lock")
    assert (await api.put(path, incident(occ_lock=0))).status == 200
    assert (await api.put(path, incident(), headers={"If-Match": '"1"'})).status == 200


@both_engines
async def test_a_deletion_takes_its_lock_from_the_body_the_query_or_if_match_or_needs_none(api: Api) -> None:
    for path, body, headers, status in (
        ("?occ_lock=0", None, None, 200),
        ("?occ_lock=1", None, None, 409),
        ("", {"occ_lock": 0}, None, 200),
        ("", {"occ_lock": 1}, None, 409),
        ("?occ_lock=0", {"occ_lock": 0, "name": "ignored", "colour": 1}, None, 200),
        ("?occ_lock=0", {"occ_lock": 1}, None, 400),
        ("", None, '"0"', 200),
        ("", None, '"1"', 412),
        ("", {}, None, 200),
        ("", None, None, 200),
        ("?occ_lock=", None, None, 400),
        ("?occ_lock=-1", None, None, 400),
        ("?occ_lock=2147483648", None, None, 400),
        ("?occ_lock=0&occ_lock=0", None, None, 400),
        ("?occ_lock=%D9%A0", None, None, 400),
    ):
        id = (await api.report())["id"]
        answer = await api.delete(
            f"{at(id)}{path}",
            *([body] if body is not None else []),
            headers={"If-Match": headers} if headers is not None else {},
        )
        assert answer.status == status, (path, body, headers)
        assert (await api.get(at(id))).status == (404 if status == 200 else 200)


async def test_locks_at_odds_are_told_as_such(api: Api) -> None:
    id = (await api.report())["id"]
    (await api.delete(f"{at(id)}?occ_lock=0", {"occ_lock": 1})).refused(400, "LOCKS_DIFFER", "occ_lock")
    (await api.delete(at(id), {"occ_lock": 1}, headers={"If-Match": '"0"'})).refused(409, "LOCK_STALE", "occ_lock")


async def test_a_list_has_no_etag_and_takes_no_precondition(api: Api) -> None:
    answer = await api.get(PATH, headers={"If-None-Match": "*"})
    assert (answer.status, answer.headers.get("ETag")) == (200, None)
