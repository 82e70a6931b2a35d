"""What the API says of the past, compared with what the model was: at moments, in each version, change by change."""

from typing import Any

from domain.moments import utc_text
from tests.faults.audit import Event
from tests.faults.load import INCIDENTS, Client
from tests.properties.lists import FILTERS
from tests.properties.model import Incident
from tests.properties.world import Moment, World, without_times

EVERY = 5
"""Of so many moments, one is looked at."""


async def past_agrees(world: World, place: int, log: list[Event]) -> None:
    """All that a tenant's users and its deployers see of it."""
    user, deployer = world.clients[place, "ann"], world.clients[place, "deployer"]
    incidents = world.tenants[place].incidents
    times = {event.position: utc_text(event.at) for event in log}
    deleted = {one.id for one in incidents if one.deleted}
    for number, moment in enumerate(world.moments[::EVERY]):
        at = times[moment.position]
        await _lists_agree(deployer, moment, place, at, number, set())
        await _lists_agree(user, moment, place, at, number, deleted)
        await _one_agrees(user, moment, place, at, number, deleted)
    for one in incidents:
        await _versions_agree(deployer, one)
        await _history_leads_to(deployer, one)


async def _lists_agree(one: Client, moment: Moment, place: int, at: str, number: int, hidden: set[str]) -> None:
    there = [was for was in reversed(moment.incidents[place]) if not was.deleted and was.id not in hidden]
    asked, chosen = FILTERS[number % len(FILTERS)]
    counted = [was for was in there if "count" in was.attributes]
    count = counted[number % len(counted)].attributes["count"] if counted else 0
    for query, wanted in (
        ([], there),
        ([*asked, ("size", "1000")], [was for was in there if chosen(was)]),
        ([("attributes.count", f"{count}")], [was for was in there if was.attributes.get("count") == count]),
        ([("size", "2"), ("page", "2")], there[2:4]),
    ):
        listed = await _get(one, INCIDENTS, [*query, ("as_of", at)])
        assert [without_times(was) for was in listed["incidents"]] == [was.shown() for was in wanted], query
        assert listed["total"] == len(there if ("page", "2") in query else wanted), query
    assert await _by_cursors(one, at) == [was.shown() for was in there]


async def _one_agrees(one: Client, moment: Moment, place: int, at: str, number: int, hidden: set[str]) -> None:
    was = moment.incidents[place][number % len(moment.incidents[place])]
    answer = await one.ask("GET", f"{INCIDENTS}/{was.id}?as_of={at}")
    if was.deleted or was.id in hidden:
        assert answer.status == 404
    else:
        assert without_times(answer.data) == was.shown()
        assert answer.headers["ETag"] == f'"{was.occ_lock}"'


async def _versions_agree(deployer: Client, one: Incident) -> None:
    for number, version in enumerate(one.versions):
        answer = await deployer.ask("GET", f"{INCIDENTS}/{one.id}?version={number}")
        assert without_times(answer.data) == version | {"id": one.id}
    assert (await deployer.ask("GET", f"{INCIDENTS}/{one.id}?version={len(one.versions)}")).status == 404


async def _history_leads_to(deployer: Client, one: Incident) -> None:
    """Whoever carries out all the changes has the incident."""
    members: dict[str, Any] = {}
    history = (await _get(deployer, f"{INCIDENTS}/{one.id}/history", []))["history"]
    own = [change for change in history if "comment_id" not in change]
    assert [change["occ_lock"] for change in own] == list(range(one.occ_lock + 1))
    for change in own:
        for member, told in change["changes"].items():
            assert members.get(member) == told["from"]
            members[member] = told["to"]
    attributes = {f"attributes.{name}": value for name, value in one.attributes.items()}
    wanted = {**one.members, **attributes}
    assert {name: value for name, value in members.items() if value is not None} == {
        name: value for name, value in wanted.items() if value is not None
    }


async def _by_cursors(one: Client, at: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        async with one.session.get(INCIDENTS, params={"as_of": at, "size": "2", "cursor": cursor}) as response:
            page = await response.json()
        found += page["data"]["incidents"]
        cursor = page["page"].get("next")
    return [without_times(was) for was in found]


async def _get(one: Client, path: str, query: list[tuple[str, str]]) -> Any:
    async with one.session.get(path, params=query) as response:
        assert response.status == 200, await response.text()
        return (await response.json())["data"]
