"""What was erased by order is told from what was altered, and what is left is verified like everything else."""

from pathlib import Path

import pytest

from service.audit.notes import Verifier
from service.audit.verify.database import verify_store
from service.audit.verify.export_walk import verify_export
from service.audit.verify.findings import Findings
from tests.audit import stores
from tests.http.api import PATH, Api, at
from tests.http.conftest import Serve, database_url, engine, key_folder, serve
from tests.http.engines import both_engines

__all__ = ["database_url", "engine", "key_folder", "serve"]

REASON = "Article 17"


@pytest.fixture
async def erased(serve: Serve) -> Api:
    """Events 1 to 3 of an incident of which fields were erased in 4; 5 to 8 another incident and a comment, all of it
    erased in 7 and 8; 9 and 10 are as they were."""
    api = await serve(verify_rate=0)
    eraser = api.by("eve", roles=("eraser",))
    first = (await api.report(name="Secret", attributes={"workflowId": "secret"}))["id"]
    await api.patch(at(first), {"name": "Another secret", "status": "OPEN"})
    await api.patch(at(first), {"status": "CLOSED"})
    await eraser.post(at(first, "erase"), {"fields": ["name", "attributes.workflowId"], "reason": REASON})
    second = (await api.report(name="All of it"))["id"]
    comment = (await api.comment(second, "Secret too"))["id"]
    await eraser.post(at(second, "comments", comment, "erase"), {"fields": "all", "reason": REASON})
    await eraser.post(at(second, "erase"), {"fields": "all", "reason": REASON})
    third = (await api.report(name="Kept"))["id"]
    await api.patch(at(third), {"name": "Kept as well"})
    assert (await api.get(f"{PATH}/counts")).data["total"] == 2
    assert (await api.get("/v1/audit/checkpoint")).data["size"] == 10
    return api


async def found(api: Api) -> Findings:
    return (await verify_store(api.settings, [], []))[1]


NOTES = [
    *(f"position {n}: erased by order at position 4, which alone vouches for what is left" for n in (1, 2)),
    "position 5: erased by order at position 8",
    "position 6: erased by order at position 7",
]


@both_engines
async def test_what_was_erased_by_order_is_no_fault(erased: Api) -> None:
    findings = await found(erased)
    assert [fault.text for fault in findings] == []
    assert sorted(findings.notes) == NOTES


@both_engines
async def test_what_is_left_is_verified(erased: Api) -> None:
    await stores.sql(erased.settings, "UPDATE log SET salt = digest WHERE notification_id = 2")
    findings = await found(erased)
    assert [fault.text for fault in findings] == ["event 2 altered: its content does not have its digest"]


@both_engines
async def test_what_no_order_covers_is_a_fault(erased: Api) -> None:
    await stores.erase(erased.settings, 3)
    await stores.erase(erased.settings, 9)
    assert [fault.text for fault in await found(erased)] == [
        "event 3 erased, and no order says so", "event 9 erased, and no order says so",
    ]  # fmt: skip


@both_engines
async def test_an_export_tells_of_erasures_too(erased: Api, tmp_path: Path) -> None:
    keys = [Verifier.of(key) for key in await erased.parts.proofs.keys()]
    await stores.exported(erased.settings, tmp_path / "export")
    _, findings = verify_export(tmp_path / "export", keys, [])
    assert [fault.text for fault in findings] == []
    assert sorted(findings.notes) == NOTES
