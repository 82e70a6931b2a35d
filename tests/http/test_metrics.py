"""What is counted: commands by what became of them, groups of the writer, followers, caches and connections."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from projections.audit_tree import FOLLOWER as AUDIT
from projections.read_models import FOLLOWER
from tests.http.api import ABSENT_ID, PATH, Api, at
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.projections.building import soon

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def samples(api: Api) -> Samples:
    text = (await api.get("/metrics", authorized=False)).raw.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def named(found: Samples, name: str, **labels: str) -> Any:
    return found.get((name, frozenset(labels.items())))


@both_engines
async def test_a_command_is_counted_by_what_became_of_it(api: Api) -> None:
    one = await api.report()
    await api.patch(at(one["id"]), {"name": "Another"})
    await api.patch(at(one["id"]), {"name": "Too late", "occ_lock": 0})
    await api.delete(at(ABSENT_ID))
    await api.post(PATH, {})
    await api.post(f"{PATH}/attributes", {"name": "rack", "type": "STRING"})
    found = await samples(api)
    counted = {
        (labels["command"], labels["outcome"]): value
        for (name, pairs), value in found.items()
        if name == "ims_commands_total" and (labels := dict(pairs))
    }
    assert counted == {
        ("incidents.report", "done"): 1,
        ("incidents.report", "member_missing"): 1,
        ("incidents.patch", "done"): 1,
        ("incidents.patch", "lock_stale"): 1,
        ("incidents.delete", "not_found"): 1,
        ("attributes.define", "forbidden"): 1,
    }


@both_engines
async def test_the_writer_says_how_large_its_groups_are_and_how_long_they_wait(api: Api) -> None:
    for _ in range(3):
        await api.report()
    found = await samples(api)
    assert named(found, "ims_writer_group_events_sum") == 3
    assert named(found, "ims_writer_wait_seconds_count") == named(found, "ims_writer_group_events_count") == 3
    assert 0 <= named(found, "ims_writer_wait_seconds_sum") < named(found, "ims_writer_commit_seconds_sum")


@both_engines
async def test_a_follower_says_where_it_is_and_whether_it_is_here_that_it_works(api: Api, engine: str) -> None:
    await api.report()
    await api.get()
    found = await samples(api)
    followed = {"follower": FOLLOWER}
    assert named(found, "ims_follower_position", **followed) == 1
    assert named(found, "ims_follower_lag_events", **followed) == 0
    assert named(found, "ims_follower_lag_seconds", **followed) == 0
    assert named(found, "ims_follower_failing", **followed) == 0
    assert named(found, "ims_lease_held", **followed) == 1
    idle = named(found, "ims_pool_connections", use="idle")
    assert idle is None if engine == "sqlite" else idle >= 1


async def test_a_process_that_follows_nothing_says_that_it_holds_no_lease(serve: Serve) -> None:
    found = await samples(await serve(run=("api",)))
    assert named(found, "ims_lease_held", follower=FOLLOWER) == 0


async def test_an_auditor_is_missed_where_it_vanished_and_not_where_it_left(postgres_dsn: str, serve: Serve) -> None:
    audited = {"follower": AUDIT}
    api = await serve(database_url=postgres_dsn, run=("api", "projector"))
    assert named(await samples(api), "ims_lease_held", **audited) is None
    auditor = await serve(database_url=postgres_dsn, run=("auditor",))

    async def held() -> bool:
        return bool(named(await samples(auditor), "ims_lease_held", **audited))

    await soon(held)
    assert named(await samples(api), "ims_lease_held", **audited) == 0
    assert named(await samples(api), "ims_follower_lag_events", **audited) == 0
    await auditor.stop()
    found = await samples(api)
    assert not [name for name, labels in found if dict(labels).get("follower") == AUDIT]
    # As if it had been killed some time ago: it gave nothing up.
    await api.parts.database.execute("UPDATE followers SET holder = 'killed', expires_at = 1 WHERE name = $1", AUDIT)
    assert named(await samples(api), "ims_lease_held", **audited) == 0


async def test_the_cache_says_how_often_it_was_of_use(api: Api) -> None:
    one = await api.report()
    await api.patch(at(one["id"]), {"name": "Read from the log"})
    await api.patch(at(one["id"]), {"name": "Known by now"})
    found = await samples(api)
    lookups = {
        result: named(found, "ims_cache_lookups_total", cache="aggregates", result=result) for result in ("hit", "miss")
    }
    assert lookups["hit"] >= 1
    assert lookups["miss"] >= 1
