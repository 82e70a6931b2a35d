"""Pages of much text: those of a cursor end where they have enough bytes, numbered ones are exact and come in parts."""

import asyncio
from typing import Any

from projections.pages import PAGE_BYTES
from service.store.log import READ_BYTES
from tests.http.api import PATH, Answer, Api, at, incident
from tests.http.engines import both_engines

TEXT = "x" * 20_000
INCIDENTS = 260
EDITS = 120
ENVELOPE = 2_000


async def got(api: Api, path: str) -> Answer:
    """Once the read models have come to it."""
    async with asyncio.timeout(60):
        while (answer := await api.get(path)).status == 503:
            await asyncio.sleep(0.05)
    return answer


async def walked(api: Api, path: str, member: str) -> list[list[Any]]:
    """All pages from the first cursor on."""
    pages, cursor = [], ""
    while True:
        answer = await got(api, f"{path}?size=1000&cursor={cursor}")
        assert len(answer.raw) < max(PAGE_BYTES, READ_BYTES) + 2 * len(TEXT) + ENVELOPE * 100
        place = answer.body["page"]
        assert place["count"] == len(answer.data[member])
        pages.append(answer.data[member])
        if "next" not in place:
            return pages
        cursor = place["next"]


@both_engines
async def test_lists_of_large_documents_are_whole_by_number_and_by_cursor(api: Api) -> None:
    for start in range(0, INCIDENTS, 20):
        some = range(start, min(start + 20, INCIDENTS))
        await asyncio.gather(*(api.post(PATH, incident(name=f"N{n}", description=TEXT)) for n in some))
    whole = [found["id"] for found in (await got(api, f"{PATH}?sort=name")).data["incidents"]]
    assert len(set(whole)) == INCIDENTS
    first = await api.get(f"{PATH}?sort=name&size=250&page=1")
    assert [found["id"] for found in first.data["incidents"]] == whole[:250]
    assert first.data["total"] == INCIDENTS
    assert first.body["page"] == {
        "number": 1, "size": 250, "total_records": INCIDENTS, "count": 250, "sort": ["name,desc"],
    }  # fmt: skip
    second = await api.get(f"{PATH}?sort=name&size=250&page=2")
    assert [found["id"] for found in second.data["incidents"]] == whole[250:]
    lines = (await api.get(f"{PATH}?size=1000&format=ndjson")).raw.splitlines()
    assert len(lines) == INCIDENTS
    pages = await walked(api, PATH, "incidents")
    assert len(pages) > 1
    assert sorted(found["id"] for page in pages for found in page) == sorted(whole)


@both_engines
async def test_histories_of_large_changes_are_whole_by_number_and_by_cursor(api: Api) -> None:
    id = (await api.report(description=TEXT))["id"]
    for number in range(EDITS):
        (await api.patch(at(id), {"description": TEXT[number + 1 :]})).data  # noqa: B018 - raises where it was refused
    path = f"{at(id)}/history"
    whole = (await got(api, path)).data
    assert [change["occ_lock"] for change in whole["history"]] == list(range(EDITS + 1))
    page = await api.get(f"{path}?size=1000")
    assert page.data == whole
    assert page.body["page"] == {
        "number": 1, "size": 1000, "total_records": EDITS + 1, "count": EDITS + 1, "sort": ["position,asc"],
    }  # fmt: skip
    part = await api.get(f"{path}?size=110&page=1")
    assert part.data == {"history": whole["history"][:110], "total": EDITS + 1}
    assert (await api.get(f"{path}?size=110&page=2")).data["history"] == whole["history"][110:]
    assert (await api.get(f"{path}?size=110&page=3")).data == {"history": [], "total": EDITS + 1}
    pages = await walked(api, path, "history")
    assert len(pages) > 1
    assert [change for page in pages for change in page] == whole["history"]
