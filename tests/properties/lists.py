"""The lists of a tenant, by filters, sorts, pages and cursors, compared with what the model would list."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.faults.load import INCIDENTS, Client
from tests.properties.model import Incident, Tenant
from tests.properties.world import without_times

Chosen = Callable[[Incident], bool]

FILTERS: tuple[tuple[list[tuple[str, str]], Chosen], ...] = (
    ([], lambda _: True),
    ([("status", "OPEN")], lambda one: one.members["status"] == "OPEN"),
    ([("status", "OPEN"), ("status", "NEW")], lambda one: one.members["status"] in ("OPEN", "NEW")),
    ([("severity", "")], lambda one: one.members["severity"] == ""),
    (
        [("severity", "HIGH"), ("type", "SECURITY")],
        lambda one: (one.members["severity"], one.members["type"]) == ("HIGH", "SECURITY"),
    ),
    ([("backdated", "true")], lambda one: one.members["backdated"]),
    ([("attributes.count", "2.0")], lambda one: one.attributes.get("count") == 2),
    ([("attributes.workflowId", "5")], lambda one: one.attributes.get("workflowId") == "5"),
    ([("q", "BREACH")], lambda one: "breach" in _words(one)),
    ([("q", "brea*")], lambda one: any(word.startswith("brea") for word in _words(one))),
    ([("q", "street breach")], lambda one: {"breach", "street"} <= _words(one)),
    ([("q", "SS")], lambda one: "ss" in _words(one)),
    ([("q", "x%y")], lambda one: {"x", "y"} <= _words(one)),
    ([("date_from", "2024-11-11T02:57:27.000000001Z")], lambda one: "000000001" in one.members["date"]),
)


async def lists_agree(client: Client, tenant: Tenant) -> None:
    """Everything that lists and counts show of the tenant."""
    there = [one for one in tenant.incidents if not one.deleted]
    for asked, chosen in FILTERS:
        wanted = [one.shown() for one in reversed(there) if chosen(one)]
        listed = await _get(client, [*asked, ("size", "1000")])
        assert [without_times(one) for one in listed["data"]["incidents"]] == wanted, asked
        assert listed["data"]["total"] == listed["page"]["total_records"] == len(wanted), asked
    everything = [one.shown() for one in there]
    for sort in (["name,asc"], ["next_update,desc", "name,asc"], ["status,desc"], ["created_at,asc"], ["severity"]):
        wanted = _sorted(everything, sort)
        asked = [("sort", by) for by in sort]
        assert await _by_pages(client, asked, len(wanted)) == wanted, sort
        assert await _by_cursors(client, asked, size=2) == wanted, sort
    counts = (await client.ask("GET", f"{INCIDENTS}/counts")).data
    assert counts["total"] == len(there)
    for member in ("status", "type", "severity"):
        for code, number in counts[member].items():
            assert number == sum(one.members[member] == code for one in there)
    for one in there:
        shown = (await client.ask("GET", f"{INCIDENTS}/{one.id}/comments")).data["comments"]
        kept = [comment.shown() for comment in one.comments if not comment.removed]
        assert [{member: comment[member] for member in kept[0]} for comment in shown] == kept if kept else shown == []
    defined = (await client.ask("GET", f"{INCIDENTS}/attributes")).data
    assert {row["name"]: row["type"] for row in defined} == tenant.defined


async def _get(client: Client, asked: Sequence[tuple[str, str]]) -> Any:
    async with client.session.get(INCIDENTS, params=asked) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def _by_pages(client: Client, asked: list[tuple[str, str]], total: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(1, total // 3 + 2):
        page = await _get(client, [*asked, ("size", "3"), ("page", str(number))])
        found += page["data"]["incidents"]
    return [without_times(one) for one in found]


async def _by_cursors(client: Client, asked: list[tuple[str, str]], size: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await _get(client, [*asked, ("size", str(size)), ("cursor", cursor)])
        found += page["data"]["incidents"]
        cursor = page["page"].get("next")
    return [without_times(one) for one in found]


def _sorted(documents: list[dict[str, Any]], sort: list[str]) -> list[dict[str, Any]]:
    """Documents come in the order of their birth; ties go by id."""
    births = {one["id"]: number for number, one in enumerate(documents)}
    result = sorted(documents, key=lambda one: one["id"])
    for by in reversed(sort):
        member, _, direction = by.partition(",")
        keys = births if member == "created_at" else {one["id"]: _key(one[member]) for one in documents}
        result.sort(key=lambda one: keys[one["id"]], reverse=direction != "asc")
    return result


def _key(value: Any) -> Any:
    """Codes are in capitals; names are sorted without."""
    return value.casefold() if isinstance(value, str) else value


def _words(one: Incident) -> set[str]:
    text = " ".join(one.members[member] for member in ("name", "description", "location")).casefold()
    return set("".join(character if character.isalnum() or character == "_" else " " for character in text).split())
