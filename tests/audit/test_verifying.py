"""`ims audit verify` on a sound store, and on one that was tampered with directly, in every way: found, and named."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest

from projections.read_models import VERSION
from service.app import running
from service.audit.verify.database import verify_store
from service.audit.verify.findings import Findings
from service.settings import Settings
from tests.audit import stores
from tests.audit.followed import EVENTS, faults, follow
from tests.projections.histories import long_history
from tests.store.engines import PostgresEngine

INCIDENTS, PAST = f"incidents_v{VERSION}_1", f"past_incidents_v{VERSION}_1"
COMMENTS, COUNTS = f"comments_v{VERSION}_1", f"counts_v{VERSION}_1"
ATTRIBUTES, DEFINITIONS = f"incident_attributes_v{VERSION}_1", f"attribute_definitions_v{VERSION}_1"
TILES = "audit_tiles_1"


async def verified(store: Settings, *notes: str) -> Findings:
    return (await verify_store(store, [], notes))[1]


async def derived(store: Settings, *statements: str) -> Sequence[Sequence[Any]]:
    """Changes from outside of what is derived from the log; returns what the last one finds."""
    if store.postgres:
        engine = PostgresEngine(store.database_url)
        for statement in statements:
            found = await engine.sql(statement)
        return found
    path = store.sqlite_path
    connection = sqlite3.connect(path.with_name(f"{path.stem}.read{path.suffix}"), isolation_level=None)
    try:
        for statement in statements:
            found = connection.execute(statement).fetchall()
        return found
    finally:
        connection.close()


async def log(store: Settings, *statements: str) -> None:
    for statement in statements:
        await stores.sql(store, statement)


async def test_a_sound_store_has_no_faults(followed: Settings) -> None:
    summary, findings = await verify_store(followed, [], [])
    assert list(findings) == []
    assert findings.notes == []
    assert summary.events == summary.size > 256
    assert summary.checkpoints == 2
    assert summary.aggregates > 3
    assert summary.rows > 3


async def test_a_running_service_is_no_fault(store: Settings) -> None:
    await stores.fill(store, long_history(40))
    async with running(store) as parts:
        await parts.proofs.checkpoint()
        assert await faults(store) == []


async def test_an_altered_content_is_named(followed: Settings) -> None:
    await log(followed, "UPDATE log SET state = salt WHERE notification_id = 42")
    assert await faults(followed) == ["event 42 altered: its content does not have its digest"]


async def test_an_altered_word_that_no_row_shows_is_named(followed: Settings) -> None:
    """It is as readable as before, and nothing that is derived from it differs."""
    before, after = '"trace_id":"', '"trace_id":"0'
    text = "convert_from(state, 'UTF8')" if followed.postgres else "CAST(state AS text)"
    altered = f"replace({text}, '{before}', '{after}')"
    state = f"convert_to({altered}, 'UTF8')" if followed.postgres else f"CAST({altered} AS blob)"
    await log(followed, f"UPDATE log SET state = {state} WHERE notification_id = 42")
    assert await faults(followed) == ["event 42 altered: its content does not have its digest"]


async def test_an_altered_digest_is_named(followed: Settings) -> None:
    """Whoever alters the content may fit the digest to it; the tree has the one that was recorded."""
    await log(followed, "UPDATE log SET digest = salt WHERE notification_id = 42")
    assert "event 42 altered" in await faults(followed)


@pytest.mark.parametrize("column", [
    "tenant_id = 'other'", "topic = 'IncidentDeleted'", "topic = ''", "topic = 'os'", "originator_version = 99",
    "originator_version = 2000000000",
])  # fmt: skip
async def test_an_altered_column_is_named(followed: Settings, column: str) -> None:
    await log(followed, f"UPDATE log SET {column} WHERE notification_id = 42")
    assert "event 42 altered" in await faults(followed)


async def test_an_altered_time_is_named(followed: Settings) -> None:
    later = "recorded_at + interval '1 microsecond'" if followed.postgres else "recorded_at + 1"
    await log(followed, f"UPDATE log SET recorded_at = {later} WHERE notification_id = 42")
    assert "event 42 altered" in await faults(followed)


async def test_a_column_that_the_tree_does_not_cover_is_named(followed: Settings) -> None:
    await log(followed, "UPDATE log SET subject_id = (SELECT originator_id FROM log WHERE notification_id = 1) "
              "WHERE notification_id = (SELECT max(notification_id) FROM log)")  # fmt: skip
    found = await faults(followed)
    assert len(found) == 1
    assert "altered: its subject_id is not the one of its content" in found[0]


async def test_a_missing_event_is_named(followed: Settings) -> None:
    await log(followed, "DELETE FROM log WHERE notification_id = 43")
    assert "event 43 missing" in await faults(followed)


async def test_a_missing_event_is_named_though_the_gap_was_closed(followed: Settings) -> None:
    await log(
        followed,
        "DELETE FROM log WHERE notification_id = 43",
        "UPDATE log SET notification_id = -notification_id WHERE notification_id > 43",
        "UPDATE log SET notification_id = -notification_id - 1 WHERE notification_id < 0",
    )
    found = await faults(followed)
    assert "event 43 missing: those after are 1 too early" in found
    assert any(text.startswith("the log ends at ") for text in found)
    assert not any(text.endswith("altered") for text in found)


async def test_swapped_events_are_named(followed: Settings) -> None:
    await log(
        followed,
        "UPDATE log SET notification_id = -44 WHERE notification_id = 44",
        "UPDATE log SET notification_id = 44 WHERE notification_id = 45",
        "UPDATE log SET notification_id = 45 WHERE notification_id = -44",
    )
    found = await faults(followed)
    assert "events 44 and 45 swapped" in found
    assert not any("altered" in text or "missing" in text for text in found)


async def test_an_inserted_event_is_named(followed: Settings) -> None:
    """The events from 44 on make room for a copy of the first, with an id of its own."""
    new_id = "gen_random_uuid()" if followed.postgres else "lower(hex(randomblob(16)))"
    await log(
        followed,
        "UPDATE log SET notification_id = -notification_id WHERE notification_id >= 44",
        "UPDATE log SET notification_id = -notification_id + 1 WHERE notification_id < 0",
        f"""INSERT INTO log SELECT 44, {new_id}, 0, topic, state, tenant_id, subject_id, recorded_at, NULL, salt, digest
            FROM log WHERE notification_id = 1""",
    )
    found = await faults(followed)
    assert any("44" in text and ("inserted" in text or "altered" in text) for text in found)


async def test_a_log_that_ends_early_is_named(followed: Settings) -> None:
    head = EVENTS
    await log(followed, f"DELETE FROM log WHERE notification_id > {head - 2}")
    found = await faults(followed)
    assert f"the log ends at {head - 2}, before checkpoint {head} (a restore or a cut)" in found
    assert f"the log ends at {head - 2}, the tree has {head} events" in found


async def test_content_that_is_gone_without_an_order_is_named(followed: Settings) -> None:
    await stores.erase(followed, 42)
    assert await faults(followed) == ["event 42 erased, and no order says so"]


async def test_an_altered_leaf_of_the_tree_is_told_from_an_altered_event(followed: Settings) -> None:
    zero = "decode(repeat('00', 32), 'hex')" if followed.postgres else "CAST(zeroblob(32) AS blob)"
    rest = "substring(hashes FROM 33)" if followed.postgres else "substr(hashes, 33)"
    await derived(followed, f"UPDATE {TILES} SET hashes = CAST({zero} || {rest} AS {kind(followed)}) "
                  "WHERE level = 0 AND number = 0")  # fmt: skip
    found = await faults(followed)
    assert "event 1 altered in the tree, not in the log" in found
    assert "event 1 altered" not in found


async def test_a_tile_that_is_gone_is_named(followed: Settings) -> None:
    await derived(followed, f"DELETE FROM {TILES} WHERE level = 0 AND number = 0")
    assert "events 1 to 256 not in the tree: its tiles are gone" in await faults(followed)


async def test_a_checkpoint_that_was_altered_is_named(followed: Settings) -> None:
    await log(followed, "UPDATE audit_checkpoints SET note = replace(note, 'ims/', 'ims/x')")
    found = await faults(followed)
    assert len(found) == 2
    assert all(text.startswith("checkpoint ") for text in found)


async def test_a_history_that_was_written_anew_contradicts_a_checkpoint_that_was_kept(
    followed: Settings, elsewhere: Settings
) -> None:
    """The same size, other events, all of it sound in itself."""
    async with running(followed) as parts:
        note = (await parts.proofs.checkpoint()).note
        keys = await parts.proofs._checkpoints.keys()
    await stores.fill(elsewhere, long_history(EVENTS))
    await follow(elsewhere)
    assert await faults(elsewhere) == []
    _, findings = await verify_store(elsewhere, [*keys], [note])
    assert f"checkpoint {EVENTS} has another root than the log" in [f.text for f in findings]


async def an_incident(store: Settings) -> str:
    """The id of one that was edited and is not deleted."""
    found = await derived(store, f"SELECT id FROM {INCIDENTS} WHERE deleted = 0 AND occ_lock > 0 ORDER BY id LIMIT 1")
    return str(found[0][0])


def kind(store: Settings) -> str:
    return "bytea" if store.postgres else "blob"


async def test_a_row_that_differs_is_named_with_what_differs(followed: Settings) -> None:
    id = await an_incident(followed)
    await derived(followed, f"UPDATE {INCIDENTS} SET severity = 'TAMPERED' WHERE id = '{id}'")
    found = await faults(followed)
    assert f"row of incident {id} differs in severity" in found
    assert len([text for text in found if text.startswith("row")]) == 1
    assert len([text for text in found if text.startswith("count")]) == 2


async def test_a_document_that_differs_is_named_with_its_member(followed: Settings) -> None:
    id = await an_incident(followed)
    ((document,),) = await derived(followed, f"SELECT document FROM {INCIDENTS} WHERE id = '{id}'")
    altered = bytes(document).replace(b'"reported_by":"', b'"reported_by":"Not ')
    literal = f"decode('{altered.hex()}', 'hex')" if followed.postgres else f"x'{altered.hex()}'"
    await derived(followed, f"UPDATE {INCIDENTS} SET document = {literal} WHERE id = '{id}'")
    assert await faults(followed) == [f"row of incident {id} differs in reported_by"]


async def test_a_version_of_the_past_that_differs_is_named(followed: Settings) -> None:
    id = await an_incident(followed)
    await derived(followed, f"UPDATE {PAST} SET name = 'Tampered' WHERE id = '{id}' AND occ_lock = 0")
    assert await faults(followed) == [f"row of version 0 of incident {id} differs in name"]


@pytest.mark.parametrize("until", ["to_position", "-1"])
async def test_a_version_that_no_event_made_is_named(followed: Settings, until: str) -> None:
    id = await an_incident(followed)
    await derived(
        followed,
        f"CREATE TABLE copied AS SELECT * FROM {PAST} WHERE id = '{id}' AND occ_lock = 0",
        f"UPDATE copied SET occ_lock = 99, to_position = {until}",
        f"INSERT INTO {PAST} SELECT * FROM copied",
    )
    assert await faults(followed) == [f"row of version 99 of incident {id} is there, and no event says so"]


async def test_a_version_of_the_past_that_is_gone_is_named(followed: Settings) -> None:
    id = await an_incident(followed)
    await derived(followed, f"DELETE FROM {PAST} WHERE id = '{id}' AND occ_lock = 0")
    assert await faults(followed) == [f"row of version 0 of incident {id} is gone"]


async def test_a_row_of_what_is_no_id_is_named(followed: Settings) -> None:
    await derived(
        followed,
        f"CREATE TABLE copied AS SELECT * FROM {PAST} WHERE occ_lock = 0 AND id = '{await an_incident(followed)}'",
        "UPDATE copied SET id = 'nobody'",
        f"INSERT INTO {PAST} SELECT * FROM copied",
    )
    assert await faults(followed) == ["row of incident nobody is there, and the log has no such incident"]


async def test_a_row_that_is_gone_is_named(followed: Settings) -> None:
    id = await an_incident(followed)
    await derived(followed, f"DELETE FROM {INCIDENTS} WHERE id = '{id}'")
    assert f"row of incident {id} is gone" in await faults(followed)


async def test_a_row_of_nothing_is_named(followed: Settings) -> None:
    id, new = await an_incident(followed), "00000000-0000-4000-8000-000000000000"
    await derived(
        followed,
        f"CREATE TABLE copied AS SELECT * FROM {INCIDENTS} WHERE id = '{id}'",
        f"UPDATE copied SET id = '{new}'",
        f"INSERT INTO {INCIDENTS} SELECT * FROM copied",
    )
    assert f"row of incident {new} is there, and the log has no such incident" in await faults(followed)


async def test_a_comment_that_differs_is_named(followed: Settings) -> None:
    ((id, document),) = await derived(followed, f"SELECT id, document FROM {COMMENTS} ORDER BY id LIMIT 1")
    altered = bytes(document).replace(b'"text":"', b'"text":"Not ')
    literal = f"decode('{altered.hex()}', 'hex')" if followed.postgres else f"x'{altered.hex()}'"
    await derived(followed, f"UPDATE {COMMENTS} SET document = {literal} WHERE id = '{id}'")
    assert await faults(followed) == [f"row of comment {id} differs in text"]


async def test_attributes_definitions_and_counts_that_differ_are_named(followed: Settings) -> None:
    ((id, name),) = await derived(
        followed, f"SELECT incident_id, name FROM {ATTRIBUTES} ORDER BY incident_id, name LIMIT 1"
    )
    ((tenant, defined),) = await derived(
        followed, f"SELECT tenant_id, name FROM {DEFINITIONS} ORDER BY tenant_id, name LIMIT 1"
    )
    ((status,),) = await derived(followed, f"SELECT status FROM {COUNTS} WHERE n > 0 ORDER BY status LIMIT 1")
    await derived(
        followed,
        f"UPDATE {ATTRIBUTES} SET value = 'x' WHERE incident_id = '{id}' AND name = '{name}'",
        f"UPDATE {DEFINITIONS} SET type = 'x' WHERE tenant_id = '{tenant}' AND name = '{defined}'",
        f"UPDATE {COUNTS} SET n = n + 1 WHERE status = '{status}'",
    )
    found = await faults(followed)
    assert f"row of attribute {name} of incident {id} differs in value" in found
    assert f"row of attribute {defined} of tenant {tenant} differs in type" in found
    assert any(text.startswith(f"count of {status}, ") and text.endswith("is 1 too high") for text in found)
