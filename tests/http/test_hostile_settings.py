"""A database whose settings are as nobody would want them: each session sets what is relied on, whoever set what."""

from collections.abc import Iterator

import pytest

from service.audit.verify.database import verify_store
from service.store.session import SETTINGS
from tests.http.api import PATH, Api, at
from tests.http.conftest import Serve
from tests.servers.postgres import Postgres
from tests.store.engines import PostgresEngine

BY_DATABASE = {
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "bytea_output": "escape",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "extra_float_digits": "-15",
    "quote_all_identifiers": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "default_transaction_read_only": "on",
    "row_security": "off",
    "client_min_messages": "error",
    "exit_on_error": "on",
    "synchronous_commit": "off",
    "statement_timeout": "30ms",
    "transaction_timeout": "30ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "idle_session_timeout": "200ms",
    "plpgsql.extra_warnings": "all",
    "plpgsql.extra_errors": "all",
    "jit": "on",
    "plan_cache_mode": "force_generic_plan",
    "from_collapse_limit": "1",
    "join_collapse_limit": "1",
    "search_path": "public",
    "escape_string_warning": "on",
    "check_function_bodies": "off",
    "xmloption": "document",
    "jit_above_cost": "0",
    "geqo_threshold": "2",
    "enable_indexscan": "off",
    "enable_hashjoin": "off",
    "work_mem": "64kB",
}
BY_ROLE = {"client_encoding": "LATIN1", "synchronous_commit": "local", "application_name": "somebody"}


@pytest.fixture
def hostile(postgres: Postgres, empty_postgres_dsn: str) -> Iterator[str]:
    name = empty_postgres_dsn.rpartition("/")[2]
    for setting, value in BY_DATABASE.items():
        postgres.sql(f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'".replace("'SQL, DMY'", "SQL, DMY"))
    for setting, value in BY_ROLE.items():
        postgres.sql(f"ALTER ROLE postgres IN DATABASE \"{name}\" SET {setting} = '{value}'")
    yield empty_postgres_dsn
    postgres.sql(f'ALTER ROLE postgres IN DATABASE "{name}" RESET ALL')


def test_every_setting_that_is_relied_on_is_set_to_something_else() -> None:
    assert set(SETTINGS) <= set(BY_DATABASE)
    assert {name for name, value in SETTINGS.items() if BY_DATABASE[name] == value} == set()


async def test_the_whole_walk_is_as_on_any_other(hostile: str, serve: Serve) -> None:
    api = await serve(database_url=hostile, read_timeout=5)
    text = "Zoë's \\ “日本” 🔥 \\x41 ' \\'"
    one = await api.report(
        name=text, reported_by="🔥", description="a\\b", attributes={"count": 0.1, "workflowId": "\\"}
    )
    other = await api.report(name="Another", severity="HIGH")
    edited = (await api.patch(at(one["id"]), {"location": "Zürich", "severity": "LOW"})).data
    assert edited["occ_lock"] == 1
    comment = await api.comment(one["id"], text)
    await _reads(api, one, other, text)
    history = (await api.get(at(one["id"], "history"))).data
    assert history["total"] == 3
    assert (await api.get(at(one["id"], "comments"))).data["comments"][0]["text"] == text == comment["text"]
    past = await api.get(f"{PATH}?as_of={edited['updated_at']}&size=10")
    assert {found["name"] for found in past.data["incidents"]} == {text, "Another"}
    assert (await api.delete(at(other["id"]))).status == 200
    assert [found["id"] for found in (await api.get(PATH)).data["incidents"]] == [one["id"]]
    await _sessions_have_what_is_relied_on(api)
    summary, findings = await verify_store(api.settings, [], [])
    assert [fault.text for fault in findings] == []
    assert summary.events == 5


async def _reads(api: Api, one: dict[str, str], other: dict[str, str], text: str) -> None:
    assert (await api.get(at(one["id"]))).data["name"] == text
    assert await api.ids("?q=zo%C3%AB&size=10") == [one["id"]]
    assert await api.ids("?q=z%C3%BCri*&size=10") == [one["id"]]
    assert await api.ids("?reported_by=%F0%9F%94%A5&size=10") == [one["id"]]
    assert await api.ids("?attributes.count=0.1&size=10") == [one["id"]]
    assert await api.ids("?attributes.workflowId=%5C&size=10") == [one["id"]]
    assert await api.ids("?severity=LOW&severity=HIGH&sort=name,asc&size=10") == [other["id"], one["id"]]
    assert await api.ids(f"?created_from={one['created_at']}&size=10&sort=created_at,asc") == [one["id"], other["id"]]
    assert (await api.get(f"{PATH}/counts")).data["total"] == 2
    assert (await api.get(f"{PATH}?cursor=&size=1")).body["page"]["next"]


async def _sessions_have_what_is_relied_on(api: Api) -> None:
    """Those that read, asked for all they have."""
    rows = await api.parts.database.fetch("SELECT name, setting FROM pg_settings WHERE name = ANY($1)", list(SETTINGS))
    found = {str(name): str(value) for name, value in rows}
    assert len(found) >= len(SETTINGS) - 2, "those of PL/pgSQL show where it was used"
    assert found.items() <= {**SETTINGS, "synchronous_commit": "off"}.items()  # what is derived needs no more
    assert {one["name"] for one in api.parts.watch.status() if not one["met"]} <= {"durability"}


async def test_what_is_acknowledged_is_durable_though_role_and_database_say_that_it_need_not_be(
    hostile: str, serve: Serve
) -> None:
    api = await serve(database_url=hostile)
    log: object = api.parts.log
    await api.report()
    connection = log._writing  # type: ignore[attr-defined]
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    assert await connection.fetchval("SHOW client_min_messages") == "warning"


async def test_an_operator_who_wants_more_of_a_commit_keeps_that(postgres: Postgres, postgres_dsn: str) -> None:
    name = postgres_dsn.rpartition("/")[2]
    postgres.sql(f'ALTER DATABASE "{name}" SET synchronous_commit = remote_apply')
    async with PostgresEngine(postgres_dsn).log() as log:
        connection = await log._postgres.primary.connect()
        try:
            assert await connection.fetchval("SHOW synchronous_commit") == "remote_apply"
        finally:
            connection.terminate()
