"""Several machines, one of which dies: nothing acknowledged is lost or done twice, and everything agrees at the end.

What was felt of each is printed (`pytest -s`); what it should be stands here.
"""

import json
from pathlib import Path

import pytest

from tests.faults.agreement import agree
from tests.faults.audit import Event, audit
from tests.faults.load import authorization, client
from tests.machines.machines import machines
from tests.machines.outages import Outage, outages
from tests.machines.steady import Steady
from tests.streams.reading import whole

SLACK_SECONDS = 10.0
"""What a machine that is busy with other tests may add to each time."""
LAG_SECONDS = 5.0
RECONNECT_SECONDS = 2.0


async def rounds_of_outages(folder: Path, rounds: int, rate: int) -> None:
    with machines(folder) as all_of_them:
        felt, seen = await outages(all_of_them, rounds, rate)
        for outage in felt:
            within_bounds(outage)
        log = await audit(all_of_them.primary.dsn, seen.acknowledged)
        done_once(log, seen)
        async with client(all_of_them.apis[0].url, authorization(all_of_them.apis[0])) as one:
            await agree(one, log)
        with all_of_them.master.client() as streams:
            assert len(await whole(streams, all_of_them.primary.dsn)) == len(log)
        assert "sound" in all_of_them.apis[0].command("audit", "verify")
        for process in (*all_of_them.apis, *all_of_them.followers):
            assert "Traceback" not in process.logs


def within_bounds(outage: Outage) -> None:
    """Only a database that is away is felt by clients that try again."""
    if outage.part == "PostgreSQL":
        assert {why.partition(" ")[0] for why in outage.failed} <= {"503"}
        assert outage.gap <= outage.took + RECONNECT_SECONDS + SLACK_SECONDS
    else:
        assert not outage.failed, outage
        assert outage.gap <= SLACK_SECONDS
    if outage.part == "lease holder":
        assert outage.lag <= LAG_SECONDS + SLACK_SECONDS


def done_once(log: list[Event], seen: Steady) -> None:
    """Each event is of a command that was sent, and no two are of one."""
    names = [_name(json.loads(event.state)) for event in log]
    assert len(set(names)) == len(names)
    assert set(names) <= seen.names
    assert len(seen.acknowledged) <= len(names)


def _name(state: dict[str, dict[str, dict[str, str]]]) -> object:
    return state["details"]["name"] if "details" in state else state["edits"]["name"]["to"]


async def test_one_of_each_part_dies_under_a_steady_load(tmp_path: Path) -> None:
    await rounds_of_outages(tmp_path, rounds=1, rate=200)


@pytest.mark.faults
async def test_each_part_dies_three_times_at_500_commands_a_second(tmp_path: Path) -> None:
    await rounds_of_outages(tmp_path, rounds=3, rate=500)
