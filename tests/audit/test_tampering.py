"""What somebody with the database in his hands tries, on a store with a bit of everything: each is named, and whatever
reads the log says so instead of failing."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final

import orjson
import pytest

from service.audit.errors import ExportDamaged
from service.audit.incident_past import IncidentPast
from service.audit.notes import Verifier
from service.audit.replay import Wanted
from service.audit.replay import show as replay
from service.audit.verify.database import verify_store
from service.audit.verify.export_walk import verify_export
from service.engines import open_engine
from service.settings import Settings
from service.store.mapper import UnreadableEvent
from tests.audit import stores
from tests.audit.altering import Altering
from tests.audit.rich import COMMENT, ERASED, GONE, KEPT

NEW: Final = "'00000000000000000000000000000001'"


async def told(store: Settings) -> list[str]:
    return [fault.text for fault in (await verify_store(store, [], []))[1]]


TRIED: Final = {
    "the log's id": ("log_identity", f"UPDATE log_identity SET log_id = {NEW}", "another log"),
    "restored taken back": ("log_identity", "UPDATE log_identity SET restored = {false}", "restored says that"),
    "restored and formerly taken back": (
        "log_identity", "UPDATE log_identity SET restored = {false}, formerly = NULL", "log_identity: log_id names",
    ),
    "no identity": ("log_identity", "DELETE FROM log_identity", "log_identity has 0 rows"),
    "two identities": ("log_identity", "INSERT INTO log_identity SELECT * FROM log_identity", "has 2 rows"),
    "a command's id": (
        "log", "UPDATE log SET command_id = NULL WHERE notification_id = 5", "event 5 altered: its command_id",
    ),
    "a command's id that was none": (
        "log", f"UPDATE log SET command_id = {NEW} WHERE notification_id = 4", "event 4 altered: its command_id",
    ),
    "whom an erased event is about": (
        "log", f"UPDATE log SET subject_id = {NEW} WHERE notification_id = 17", "event 17 altered: its subject_id",
    ),
    "what an erased comment is about": (
        "log", f"UPDATE log SET subject_id = {NEW} WHERE notification_id = 18", "event 18 altered: its subject_id",
    ),
    "no followers": ("followers", "DELETE FROM followers", "has no row; what it built was not compared"),
    "no follower of the tree": (
        "followers", "DELETE FROM followers WHERE name = 'audit_tree'", "audit_tree has no row",
    ),
    "a checkpoint's size": (
        "audit_checkpoints", "UPDATE audit_checkpoints SET size = 20 WHERE size = 21", "checkpoint 20: its size is 21",
    ),
    "keys gone": ("audit_keys", "DELETE FROM audit_keys", "not signed with a key that is known"),
}  # fmt: skip
"""The table, what is done, what has to be said of it."""

DEFINED: Final = {
    "an index dropped": ("index log_command of log is gone", ["DROP INDEX log_command"]),
    "an index of a read model dropped": ("_created of incidents", ["DROP INDEX {incidents}_created"]),
    "a column": ("audit_keys", ["ALTER TABLE audit_keys ADD COLUMN note text"]),
}
"""What has to be said of it, what is done."""
DEFINED_ON_POSTGRES: Final = {
    "a trigger": ("trigger hide of log is there, and this release makes none", [
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER hide BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION nothing()",
    ]),
    "a rule": ("rule hide of log is there", ["CREATE RULE hide AS ON DELETE TO log DO INSTEAD NOTHING"]),
    "a constraint": ("log_notification_id_check of log", ["ALTER TABLE log ADD CHECK (notification_id < 99)"]),
    "a default": ("column topic of log is not as this", ["ALTER TABLE log ALTER COLUMN topic SET DEFAULT 'x'"]),
    "no need of a digest": ("column digest of log", ["ALTER TABLE log ALTER COLUMN digest DROP NOT NULL"]),
    "another function": ("function left_of(topic text, state jsonb, fields jsonb) is not as this release makes it", [
        """CREATE OR REPLACE FUNCTION left_of(topic text, state jsonb, fields jsonb) RETURNS jsonb
           LANGUAGE sql IMMUTABLE AS 'SELECT state'""",
    ]),
    "a function more": ("function erase(entries json) is there", [
        "CREATE FUNCTION erase(entries json) RETURNS void LANGUAGE sql AS ''",
    ]),
    "a table without a journal": ("table audit_keys is not as this", ["ALTER TABLE audit_keys SET UNLOGGED"]),
    "the log's schema": ("schema_version says", ["DELETE FROM schema_version WHERE version = 3"]),
}  # fmt: skip
DEFINED_ON_SQLITE: Final = {
    "a trigger": ("trigger hide of log is there, and this release makes none", [
        "CREATE TRIGGER hide BEFORE INSERT ON log BEGIN SELECT RAISE(IGNORE); END",
    ]),
    "a trigger on a read model": ("trigger hide of followers is there", [
        "CREATE TRIGGER derived.hide BEFORE DELETE ON followers BEGIN SELECT RAISE(IGNORE); END",
    ]),
}  # fmt: skip


async def test_what_is_tried_on_rows_is_named(rich: Settings) -> None:
    false = "false" if rich.postgres else "0"
    async with Altering.open(rich) as altering:
        for name, (table, statement, expected) in TRIED.items():
            async with altering.put_back(table):
                await altering.sql(statement.replace("{false}", false))
                found = await told(rich)
            assert any(expected in text for text in found), f"{name}: {found}"
        assert await told(rich) == []


async def test_what_is_tried_on_definitions_is_named_and_mended_by_nobody(rich: Settings) -> None:
    async with Altering.open(rich) as altering:
        names = {column.table for column in await altering.columns() if column.base == "incidents"}
        incidents = max(names)
        tried = DEFINED | (DEFINED_ON_POSTGRES if rich.postgres else DEFINED_ON_SQLITE)
        for name, (expected, statements) in tried.items():
            for statement in statements:
                await altering.sql(statement.replace("{incidents}", incidents))
            for _ in range(2):
                found = await told(rich)
                assert any(expected in text for text in found), f"{name}: {found}"


def altered(state: bytes, **members: Any) -> bytes:
    """Members put, and taken away where they are None."""
    content = orjson.loads(state) | members
    return orjson.dumps({name: value for name, value in content.items() if value is not None})


SHAPES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "no members": lambda _: b'{"x":1}',
    "a list": lambda _: b"[1]",
    "a number": lambda _: b"7",
    "no JSON": lambda _: b"{",
    "no text": lambda _: b"\xff\xfe",
    "no user": lambda state: altered(state, user_name=None),
    "a number for a user": lambda state: altered(state, user_name=7),
    "no time": lambda state: altered(state, timestamp=None),
    "a time that is none": lambda state: altered(state, timestamp={"_type_": "datetime_iso", "_data_": "x"}),
    "details of nothing": lambda state: altered(state, details={}),
    "edits of nothing": lambda state: altered(state, edits={"name": 5}),
    "an edit to a list": lambda state: altered(state, edits={"name": {"from": "", "to": []}}),
    "a shape of tomorrow": lambda state: altered(state, class_version="x"),
    "an order of nothing": lambda state: altered(state, redacted=[1], fields=7),
    "an order of what is no position": lambda state: altered(state, redacted={"x": ""}),
}
POSITIONS: Final = {4: KEPT, 5: KEPT, 10: KEPT, 14: ERASED, 16: GONE, 19: ERASED, 20: GONE, 21: GONE}
"""By position, the incident whose history it is in."""
FITTING: Final = {"details of nothing": (4, 14, 16), "edits of nothing": (5,), "an edit to a list": (5,),
                  "an order of nothing": (19, 20, 21), "an order of what is no position": (19, 20, 21)}  # fmt: skip
"""Where a shape is one that cannot be read."""


@asynccontextmanager
async def put(altering: Altering, position: int, state: bytes, *, with_digest: bool) -> AsyncIterator[None]:
    salt = b"s" * 16
    digest = sha256(salt + state).hexdigest()
    literal = "decode('{}', 'hex')" if altering.store.postgres else "x'{}'"
    values = f"state = {literal.format(state.hex())}, salt = {literal.format(salt.hex())}"
    values += f", digest = {literal.format(digest)}" if with_digest else ""
    async with altering.put_back("log"):
        await altering.sql(f"UPDATE log SET {values} WHERE notification_id = {position}")
        yield


@pytest.mark.parametrize("with_digest", [False, True], ids=["bare", "digest-too"])
async def test_a_state_that_is_none_is_named_and_its_place_shown(rich: Settings, with_digest: bool) -> None:
    states = {row.position: row.state or b"{}" for row in await stores.rows(rich)}
    async with Altering.open(rich) as altering:
        for number, (name, shape) in enumerate(SHAPES.items()):
            positions = FITTING.get(name, tuple(POSITIONS))
            position = positions[number % len(positions)]
            async with put(altering, position, shape(states[position]), with_digest=with_digest):
                summary, findings = await verify_store(rich, [], [])
                assert summary.events == 21, name
                named = [fault for fault in findings if fault.first <= position <= fault.last]
                assert named, f"{name} at {position}: {[fault.text for fault in findings]}"
                await read_on(rich, position, told_in_history=name == "a time that is none")


async def read_on(store: Settings, position: int, *, told_in_history: bool) -> None:
    """The history shows its place, what is folded names it, a replay goes on to the end. A history does not look at the
    time that an event names for itself: it tells when it was recorded."""
    async with open_engine(store, writing=False) as engine:
        past = IncidentPast(engine.log, POSITIONS[position])
        shown = [change async for changes in past.history() for change in changes]
        (place,) = [change for change in shown if change["position"] == position]
        assert place.get("unreadable", told_in_history) is True, place
        if position not in (10, 18, 20):  # comments have a life of their own
            with pytest.raises(UnreadableEvent, match=rf"position {position}\b"):
                await past.at_version()
    out = io.BytesIO()
    await replay(store, Wanted(), out)
    lines = [orjson.loads(line) for line in out.getvalue().splitlines()]
    assert [line["position"] for line in lines] == list(range(1, 22))
    assert [line["position"] for line in lines if "unreadable" in line] == [position]


async def test_an_export_that_was_altered_is_refused_as_verify_refuses_it(
    rich: Settings, elsewhere: Settings, tmp_path: Any
) -> None:
    file, wrong = tmp_path / "export", tmp_path / "wrong"
    lines = (await stores.exported(rich, file)).splitlines(keepends=True)
    async with open_engine(rich, writing=False) as engine:
        found = await engine.kept.fetch("SELECT key FROM audit_keys ORDER BY number")
    keys = [Verifier.of(key) for (key,) in found]
    assert [fault.text for fault in verify_export(file, keys, [])[1]] == []
    tried: dict[str, tuple[int, dict[str, Any]]] = {
        "restored taken back": (0, {"restored": False}),
        "never restored": (0, {"formerly": None}),
        "whom it is about": (5, {"subject_id": str(COMMENT)}),
        "whom an erased one is about": (17, {"subject_id": str(COMMENT)}),
        "what an erased comment is about": (18, {"subject_id": str(KEPT)}),
        "a command": (5, {"command_id": str(COMMENT)}),
        "a command's key": (5, {"command_id": None}),
        "a key that was none": (4, {"command_id": str(COMMENT)}),
        "a tenant": (4, {"tenant_id": "other"}),
        "what is left": (14, {"salt": "00" * 16}),
    }
    for name, (number, members) in tried.items():
        changed = [*lines]
        changed[number] = orjson.dumps(orjson.loads(lines[number]) | members) + b"\n"
        wrong.write_bytes(b"".join(changed))
        faults = [fault.text for fault in verify_export(wrong, keys, [])[1]]
        with pytest.raises(ExportDamaged) as refused:
            await stores.imported(elsewhere, wrong)
        assert str(refused.value) in faults or "are not those that" in str(refused.value), (name, faults)
        assert faults, name
    assert await stores.rows(elsewhere) == []
    await stores.imported(elsewhere, file)
    async with open_engine(elsewhere, writing=False) as one, open_engine(rich, writing=False) as other:
        assert await one.log.identity() == await other.log.identity()
