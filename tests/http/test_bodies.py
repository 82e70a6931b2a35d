"""How a request's body may come: its type, its size, compressed or in chunks, to the right path, in time."""

import asyncio
import gzip
import threading
import zlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from service.http.bodies import MAX_BODY
from service.http.inflating import TooMuch, inflated
from tests.http.api import ABSENT_ID, PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines

BODY = orjson.dumps(incident())


async def test_json_is_read_whatever_of_these_types_it_is_said_to_be(api: Api) -> None:
    for content_type in (
        "application/json", "application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8", "text/plain",
        "text/plain;charset=UTF-8", "application/merge-patch+json", "application/vnd.x.y+json; v=1",
    ):  # fmt: skip
        answer = await api.post(PATH, data=BODY, headers={"Content-Type": content_type})
        assert answer.status == 201, content_type


async def test_json_is_read_without_a_type(api: Api) -> None:
    assert (await api.post(PATH, data=BODY)).status == 201


async def test_any_other_type_is_refused(api: Api) -> None:
    for content_type in (
        "text/html", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/octet-stream", "text/plainer", "application/jsonp", "json", "", "application/+json", "*/*", "é",
    ):  # fmt: skip
        answer = await api.post(PATH, data=BODY, headers={"Content-Type": content_type})
        assert answer.status == 415, content_type
        assert answer.code == "TYPE_UNSUPPORTED"


async def test_the_type_is_not_looked_at_without_a_body(api: Api) -> None:
    id = (await api.report())["id"]
    headers = {"Content-Type": "text/html"}
    assert (await api.get(at(id), headers=headers)).status == 200
    assert (await api.delete(at(id), headers=headers)).status == 200
    assert (await api.post(at(id, "restore"), headers=headers)).status == 200
    assert (await api.post(PATH, headers=headers)).status == 400


async def test_a_mebibyte_is_read_and_no_byte_more(api: Api) -> None:
    padded = BODY + b" " * (MAX_BODY - len(BODY))
    assert (await api.post(PATH, data=padded)).status == 201
    (await api.post(PATH, data=padded + b" ")).refused(413, "BODY_TOO_LARGE")


async def test_the_limit_holds_where_no_length_is_told(api: Api) -> None:
    async def chunks(size: int) -> AsyncIterator[bytes]:
        yield BODY
        for start in range(len(BODY), size, 65_536):
            yield b" " * min(65_536, size - start)

    assert (await api.post(PATH, data=chunks(MAX_BODY))).status == 201
    (await api.post(PATH, data=chunks(MAX_BODY + 1))).refused(413, "BODY_TOO_LARGE")


async def test_a_compressed_body_is_read(api: Api) -> None:
    for encoding, data in {"gzip": gzip.compress(BODY), "deflate": zlib.compress(BODY)}.items():
        assert (await api.post(PATH, data=data, headers={"Content-Encoding": encoding})).status == 201


async def test_a_body_in_another_encoding_is_refused_with_those_that_are_taken(api: Api) -> None:
    id = (await api.report())["id"]
    for encoding in ("br", "zstd", "compress", "x-gzip", "gzip, gzip", "br, gzip", "BR", "aes128gcm", "é", "gzip;q=1"):
        for method, path, data in (
            ("POST", PATH, gzip.compress(BODY)), ("PATCH", at(id), b'{"name": "Renamed"}'), ("DELETE", at(id), b"{}"),
        ):  # fmt: skip
            answer = await api.send(method, path, data=data, headers={"Content-Encoding": encoding})
            error = answer.refused(415, "TYPE_UNSUPPORTED", "Content-Encoding")
            assert "gzip, deflate" in error["message"]
            assert answer.headers["Accept-Encoding"] == "gzip, deflate"
    lines = [("Content-Encoding", "gzip"), ("Content-Encoding", "br")]
    (await api.post(PATH, data=BODY, headers=lines)).refused(415, "TYPE_UNSUPPORTED", "Content-Encoding")
    assert (await api.get(at(id))).data["occ_lock"] == 0
    assert len(await api.ids()) == 1


async def test_a_body_that_says_it_is_not_encoded_is_read(api: Api) -> None:
    for encoding in ("identity", "Identity", ""):
        assert (await api.post(PATH, data=BODY, headers={"Content-Encoding": encoding})).status == 201
    assert (await api.post(PATH, data=gzip.compress(BODY), headers={"Content-Encoding": "GZIP"})).status == 201


async def test_a_byte_order_mark_of_utf_8_is_passed_over_and_other_encodings_are_named(api: Api) -> None:
    text = '{"name": "\ufeffZoë"}'
    id = (await api.report())["id"]
    assert (await api.patch(at(id), data=text.encode("utf-8-sig"))).data["name"] == "\ufeffZoë"
    assert (await api.delete(at(id), data=b"\xef\xbb\xbfnull")).status == 200
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
        error = (await api.post(PATH, data=text.encode(encoding))).refused(400, "JSON_INVALID")
        assert "UTF-8" in error["message"]
        assert "UTF-16" in error["message"]
    (await api.post(PATH, data=b"\xef\xbb\xbf")).refused(400, "JSON_INVALID")


@both_engines
async def test_null_is_no_body_where_none_is_needed_and_refused_where_one_is(api: Api) -> None:
    id = (await api.report(attributes={"count": 1}))["id"]
    comment = (await api.comment(id))["id"]
    api = api.deployer
    for method, path in (
        ("POST", PATH), ("PUT", at(id)), ("PATCH", at(id)), ("POST", at(id, "attributes")),
        ("PUT", at(id, "attributes")), ("POST", at(id, "comments")), ("PUT", at(id, "comments", comment)),
        ("POST", at(id, "revert")), ("POST", f"{PATH}/attributes"),
    ):  # fmt: skip
        (await api.send(method, path, None)).refused(400, "BODY_INVALID")
    (await api.post(at(id), None)).refused(405, "METHOD_NOT_ALLOWED")
    (await api.delete(at(id, "comments"), None)).refused(400, "MEMBER_MISSING", "id")
    for method, path in (
        ("DELETE", f"{at(id, 'comments')}?id={comment}"), ("DELETE", at(id, "attributes", "count")),
        ("DELETE", f"{at(id)}?occ_lock=1"), ("POST", at(id, "restore")), ("DELETE", f"{PATH}/attributes/count"),
    ):  # fmt: skip
        assert (await api.send(method, path, None)).status == 200, path
    assert (await api.get(at(id))).data["occ_lock"] == 3


async def test_a_small_body_that_unpacks_to_a_large_one_is_refused(api: Api) -> None:
    bomb = gzip.compress(BODY + b" " * (256 * MAX_BODY))
    assert len(bomb) < MAX_BODY
    (await api.post(PATH, data=bomb, headers={"Content-Encoding": "gzip"})).refused(413, "BODY_TOO_LARGE")


async def test_a_body_that_cannot_be_unpacked_is_refused(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    packed = gzip.compress(BODY)
    damaged = {
        "gzip": (
            BODY, packed[: len(packed) // 2], packed[:-8] + b"\0" * 8, packed[:-1], packed + b"x", zlib.compress(BODY),
            packed + packed[:-1], b"\x1f\x8b", gzip.compress(b"") * 100, bytes(1000), b"\0",
        ),
        "deflate": (BODY, packed, zlib.compress(BODY)[:-1], zlib.compress(BODY) + b"x", b"x", b"\x78"),
    }  # fmt: skip
    for encoding, bodies in damaged.items():
        for data in bodies:
            for authorized, refusal in ((True, (400, "BODY_INVALID")), (False, (401, "TOKEN_MISSING"))):
                headers = {"Content-Encoding": encoding}
                answer = await api.post(PATH, data=data, headers=headers, authorized=authorized)
                assert (answer.status, answer.code) == refusal, (encoding, data)
    assert [record for record in caplog.records if record.exc_info] == []
    assert (await api.ids()) == []


async def test_what_is_written_in_other_ways_is_unpacked_too(api: Api) -> None:
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    half = len(BODY) // 2
    for encoding, data in (
        ("deflate", raw.compress(BODY) + raw.flush()),
        ("deflate", zlib.compress(BODY, 0)),
        ("gzip", gzip.compress(BODY[:half]) + gzip.compress(b"") + gzip.compress(BODY[half:])),
    ):
        assert (await api.post(PATH, data=data, headers={"Content-Encoding": encoding})).status == 201
    id = (await api.report())["id"]
    assert (await api.delete(at(id), data=gzip.compress(b""), headers={"Content-Encoding": "gzip"})).status == 200


async def test_nothing_is_unpacked_before_somebody_has_signed_in_and_then_beside_the_loop(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack, where = zlib.decompressobj, list[threading.Thread]()

    def unpacking(*arguments: Any, **options: Any) -> Any:
        where.append(threading.current_thread())
        return unpack(*arguments, **options)

    monkeypatch.setattr(zlib, "decompressobj", unpacking)
    packed = {"gzip": gzip.compress(BODY), "deflate": zlib.compress(BODY)}
    for encoding, data in packed.items():
        for path in (PATH, at(ABSENT_ID), "/v1/nowhere", "/livez", "/status", "/nowhere"):
            answer = await api.post(path, data=data, headers={"Content-Encoding": encoding}, authorized=False)
            assert answer.status in (401, 404, 405)
        answer = await api.post(
            PATH, data=data, headers=[("Content-Encoding", encoding), ("Authorization", "Bearer x")]
        )
        assert answer.status == 401
    assert where == []
    for encoding, data in packed.items():
        assert (await api.post(PATH, data=data, headers={"Content-Encoding": encoding})).status == 201
    assert len(where) == len(packed)
    assert threading.main_thread() not in where


async def test_who_has_no_token_is_told_so_whatever_the_body_is_packed_with(api: Api) -> None:
    for encoding in ("br", "zstd", "gzip", "deflate", "compress", "x", "br, gzip"):
        answer = await api.post(PATH, data=BODY, headers={"Content-Encoding": encoding}, authorized=False)
        answer.refused(401, "TOKEN_MISSING")


def test_no_more_than_the_limit_is_ever_unpacked() -> None:
    for encoding, data in (("gzip", gzip.compress(bytes(100))), ("deflate", zlib.compress(bytes(100)))):
        assert inflated(data, encoding, 100) == bytes(100)
        for limit in (0, 1, 99):
            with pytest.raises(TooMuch):
                inflated(data, encoding, limit)
    with pytest.raises(TooMuch):
        inflated(gzip.compress(bytes(60)) * 2, "gzip", 100)


async def test_a_body_that_does_not_arrive_in_time_is_given_up(serve: Serve) -> None:
    api = await serve(request_timeout=0.2)

    async def slow() -> AsyncIterator[bytes]:
        yield BODY[:10]
        await asyncio.sleep(1)
        yield BODY[10:]

    (await api.post(PATH, data=slow())).refused(408, "REQUEST_TIMEOUT")
    assert await api.ids() == []


async def test_the_body_of_an_attribute_or_comment_at_the_incidents_path_names_the_right_one(api: Api) -> None:
    id = (await api.report())["id"]
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for place, body in {
            "attributes": {"name": "count", "value": "5"},
            "comments": {"text": "Seen."},
        }.items():
            error = (await api.send(method, at(id), body)).refused(400, "WRONG_PATH")
            assert at(id, place) in error["message"]
    assert (await api.get(at(id))).data["occ_lock"] == 0


async def test_a_post_to_an_incident_is_no_call_of_the_api(api: Api) -> None:
    id = (await api.report())["id"]
    answer = await api.post(at(id), incident())
    answer.refused(405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD", "PUT", "PATCH", "DELETE"}


async def test_unknown_members_are_refused_wherever_they_would_be_lost(api: Api) -> None:
    id = (await api.report())["id"]
    comment = (await api.comment(id))["id"]
    api = api.deployer
    for method, path, body in (
        ("POST", PATH, incident()),
        ("PUT", at(id), incident(occ_lock=0)),
        ("PATCH", at(id), {}),
        ("POST", at(id, "attributes"), {"name": "count", "value": 1}),
        ("PUT", at(id, "attributes"), {"name": "count", "value": 1}),
        ("POST", at(id, "comments"), {"text": "Seen."}),
        ("PUT", at(id, "comments", comment), {"text": "Seen.", "occ_lock": 0}),
        ("POST", f"{PATH}/attributes", {"name": "colour", "type": "STRING"}),
    ):
        for name in ("attribute", "Name", "", "occ-lock"):
            (await api.send(method, path, {**body, name: "x"})).refused(400, "MEMBER_UNKNOWN", name or None)


async def test_parameters_are_refused_where_there_are_none(api: Api) -> None:
    id = (await api.report())["id"]
    for path in (at(id), f"{PATH}/codes", f"{PATH}/counts", at(id, "attributes"), f"{PATH}/attributes"):
        (await api.get(f"{path}?page=1")).refused(400, "PARAMETER_UNKNOWN", "page")
    (await api.post(f"{PATH}?occ_lock=1", incident())).refused(400, "PARAMETER_UNKNOWN", "occ_lock")
    (await api.put(f"{at(id)}?occ_lock=0", incident(occ_lock=0))).refused(400, "PARAMETER_UNKNOWN", "occ_lock")
