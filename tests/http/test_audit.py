"""Proof over HTTP, checked with nothing of the service: the RFC's recursion and the signature, taken apart by hand."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from service.audit.checkpoint import origin_of
from tests.audit.recursive import mth, path, proof, root_of_path
from tests.http.api import Api, at
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.projections.building import soon

CHECKPOINT = "/v1/audit/checkpoint"
KEYS = "/.well-known/ims-checkpoint-key"


def root_in(note: str, size: int, keys: str) -> bytes:
    """The root that one of these keys signed for a tree of this size."""
    text, _, signatures = note.rpartition("\n\n")
    origin, told, root = text.split("\n")
    mark, name, encoded = signatures.split()
    assert (mark, name, told) == ("—", origin, str(size))
    signature = base64.b64decode(encoded)
    for key in keys.splitlines():
        key_name, id, public = key.split("+", 2)
        if (key_name, bytes.fromhex(id)) == (name, signature[:4]):
            Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[1:]).verify(signature[4:], f"{text}\n".encode())
            return base64.b64decode(root)
    raise AssertionError("signed with no key that is listed")


async def keys(api: Api) -> str:
    answer = await api.get(KEYS, authorized=False)
    assert answer.status == 200
    return answer.raw.decode()


def hashes(texts: list[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


async def proven(api: Api, position: int) -> Any:
    return (await api.get(f"/v1/audit/proof/{position}")).data


@both_engines
async def test_a_checkpoint_covers_all_that_was_written_and_is_signed(api: Api) -> None:
    for number in range(3):
        await api.report(name=f"Number {number}")
    found = (await api.get(CHECKPOINT)).data
    assert found["origin"] == origin_of(api.parts.log.log_id)
    assert found["size"] == 3
    root = root_in(found["checkpoint"], 3, await keys(api))
    assert base64.b64decode(found["root"]) == root
    assert root == mth([(await proven(api, position))["leaf_text"].encode() for position in (1, 2, 3)])
    assert (await api.get(CHECKPOINT)).data == found


@both_engines
async def test_each_event_of_the_tenant_is_proven_by_hand(api: Api) -> None:
    id = (await api.report())["id"]
    for number in range(12):
        await api.patch(at(id), {"name": f"Changed {number}"})
    listed = await keys(api)
    log = await api.parts.log.read(0, 20)
    for row in log:
        found = await proven(api, row.position)
        leaf = found["leaf"]
        # The text, put together from the leaf's members as the documentation says.
        text = "".join(
            f"{line}\n"
            for line in (
                "ims-event/1", leaf["position"], leaf["tenant_id"], leaf["aggregate_id"].replace("-", ""),
                leaf["version"], leaf["topic"], leaf["recorded_at"], leaf["digest"],
            )
        )  # fmt: skip
        assert text == found["leaf_text"]
        assert leaf["digest"] == hashlib.sha256((row.salt or b"") + (row.state or b"")).hexdigest()
        assert (leaf["position"], leaf["version"]) == (row.position, row.originator_version)
        assert found["index"] == row.position - 1
        root = root_in(found["checkpoint"], found["size"], listed)
        assert root_of_path(text.encode(), found["index"], found["size"], hashes(found["hashes"])) == root


@both_engines
async def test_the_log_is_proven_to_have_only_grown(api: Api) -> None:
    for number in range(11):
        await api.report(name=f"Number {number}")
    await api.get(CHECKPOINT)
    leaves = [(await proven(api, position))["leaf_text"].encode() for position in range(1, 12)]
    for old in range(1, 12):
        found = (await api.get(f"/v1/audit/consistency?from={old}&to=11")).data
        assert hashes(found["hashes"]) == proof(old, leaves)
        assert hashes([found["from_root"], found["to_root"]]) == [mth(leaves[:old]), mth(leaves)]


async def test_a_proof_names_no_other_tenants_event(api: Api) -> None:
    await api.report()
    other = api.by("eve", tenant="other")
    await other.report(name="Theirs")
    theirs, absent = await api.get("/v1/audit/proof/2"), await api.get("/v1/audit/proof/3")
    assert (theirs.status, absent.status) == (404, 404)
    assert theirs.body["errors"] == absent.body["errors"]
    await api.get(CHECKPOINT)
    found = await proven(api, 1)
    assert "other" not in str(found)
    assert hashes(found["hashes"]) == path(
        0, [found["leaf_text"].encode(), (await proven(other, 2))["leaf_text"].encode()]
    )


@pytest.mark.parametrize("position", ["0", "00", "999999999999999999"])
async def test_a_position_that_is_none_is_not_there(api: Api, position: str) -> None:
    (await api.get(f"/v1/audit/proof/{position}")).refused(404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("", {("PARAMETER_INVALID", "from"), ("PARAMETER_INVALID", "to")}),
        ("?from=0&to=1", {("PARAMETER_INVALID", "from")}),
        ("?from=x&to=1", {("PARAMETER_INVALID", "from")}),
        ("?from=2&to=1", {("PARAMETER_INVALID", "from")}),
        ("?from=1&to=99", {("POSITION_UNKNOWN", "to")}),
        ("?from=1&to=1&size=1", {("PARAMETER_UNKNOWN", "size")}),
    ],
)
async def test_sizes_that_are_none_are_refused(api: Api, query: str, faults: set[tuple[str, str]]) -> None:
    await api.report()
    await api.get(CHECKPOINT)
    answer = await api.get(f"/v1/audit/consistency{query}")
    assert (answer.status, answer.faults) == (400, faults)


async def test_an_empty_log_has_a_checkpoint(api: Api) -> None:
    found = (await api.get(CHECKPOINT)).data
    assert (found["size"], base64.b64decode(found["root"])) == (0, hashlib.sha256().digest())


async def test_a_process_that_does_not_sign_shows_the_newest_checkpoint(postgres_dsn: str, serve: Serve) -> None:
    reader = await serve(database_url=postgres_dsn, run=("api", "projector"))
    await reader.report()
    (await reader.get(CHECKPOINT)).refused(503, "CHECKPOINT_PENDING")
    (await reader.get("/v1/audit/proof/1")).refused(503, "CHECKPOINT_PENDING")
    signer = await serve(database_url=postgres_dsn)
    signed = (await signer.get(CHECKPOINT)).data
    assert (await reader.get(CHECKPOINT)).data == signed
    assert await proven(reader, 1) == await proven(signer, 1)
    assert await keys(reader) == await keys(signer) != ""


async def test_a_key_that_was_replaced_stays_listed(serve: Serve, tmp_path: Path) -> None:
    first = await serve(checkpoint_key_file=tmp_path / "first.pem")
    await first.report()
    note = (await first.get(CHECKPOINT)).data["checkpoint"]
    (old,) = (await keys(first)).splitlines()
    await first.stop()
    second = await serve(checkpoint_key_file=tmp_path / "second.pem")
    await second.report()
    listed = (await keys(second)).splitlines()
    assert len(listed) == 2
    assert listed[1] == old
    assert root_in(note, 1, "\n".join(listed)) == root_in(note, 1, old)
    found = (await second.get(CHECKPOINT)).data
    root_in(found["checkpoint"], 2, listed[0])
    assert (tmp_path / "second.pem").stat().st_mode & 0o777 == 0o600


async def test_checkpoints_are_signed_while_the_log_grows(serve: Serve) -> None:
    api = await serve(checkpoint_interval=0.05)
    await api.report()
    found = await soon_signed(api, 1)
    await api.report()
    again = await soon_signed(api, 2)
    assert found != again


async def soon_signed(api: Api, size: int) -> str:
    checkpoints = api.parts.proofs._checkpoints
    origin = origin_of(api.parts.log.log_id)

    async def signed() -> bool:
        newest = await checkpoints.newest(origin)
        return newest is not None and newest.size >= size

    await soon(signed, 20)
    newest = await checkpoints.newest(origin)
    assert newest is not None
    return newest.note


async def test_nothing_is_signed_or_proven_with_a_tree_that_contradicts_a_checkpoint(serve: Serve) -> None:
    """Somebody exchanged a hash in the tree after its root was signed."""
    api = await serve()
    for _ in range(2):
        await api.report()
    await api.get(CHECKPOINT)
    tiles = await api.parts.proofs._tree.tiles()
    ((_, hashes_then),) = await tiles.of_level(api.parts.database, 0, 0, 1)
    async with api.parts.database.transaction() as rows:
        await tiles.write(rows, {(0, 0): bytes(32) + hashes_then[32:]})
    (await api.get("/v1/audit/proof/2")).refused(500, "INTERNAL")
    await api.stop()
    again = await serve()
    await again.report()
    (await again.get(CHECKPOINT)).refused(500, "INTERNAL")
    assert again.parts.auditing is not None
    assert "checkpoint of 2 events" in again.parts.auditing.notary.refusal
