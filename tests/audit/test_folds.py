"""What verification folds from the log's states, held equal to the aggregates and to the rows of the read models."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any
from uuid import uuid4

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.attribute_schema import AttributeSchema, schema_id
from domain.attribute_types import AttributeType
from domain.comment import Comment
from domain.errors import Absent, Invalid, NotDeleted, Taken
from domain.event import Recorded, fold
from domain.incident import Incident
from projections.documents import comment_document, incident_document
from service.audit.verify.folds import Told, folded
from service.audit.verify.model_tables import PAST, ModelTable, tables_of
from service.audit.verify.row_walk import RowWalk
from service.store.mapper import members_of
from tests.domain.examples import ANN, CODES
from tests.projections.anything import TYPES, attributes, comments, details
from tests.projections.building import Building
from tests.projections.conftest import build, sqlite
from tests.projections.histories import long_history

__all__ = ["build", "sqlite"]

QUIETLY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), details, attributes),
        st.tuples(st.just("set"), attributes),
        st.tuples(st.sampled_from(("remove", "delete", "restore", "revert"))),
        st.tuples(st.sampled_from(("add", "reword")), comments),
        st.tuples(st.just("take back")),
        st.tuples(st.sampled_from(("define", "retire")), st.sampled_from(("one", "another"))),
    ),
    max_size=12,
)


class Life:
    """An incident, a comment on it and its tenant's schema; what the rules refuse is left out."""

    def __init__(self, first: Any, some: Any) -> None:
        self.by = ANN._replace(tenant_id=uuid4().hex)
        self.incident = Incident.report(self.by, uuid4(), first, some, CODES, TYPES)
        self.first = Incident.report(self.by, self.incident.id, first, some, CODES, TYPES)
        self.comment: Comment | None = None
        self.schema = AttributeSchema.empty(schema_id(self.by.tenant_id), self.by.at)

    def take(self, step: str, *values: Any) -> None:
        by, incident, comment = self.by, self.incident, self.comment
        with suppress(Absent, NotDeleted, Taken, Invalid):
            match (step, *values):
                case ("edit", changed, given):
                    incident.edit(by, changed, given, None, CODES, TYPES)
                case ("set", given):
                    for name, value in given.items():
                        incident.set_attribute(by, name, value, None, TYPES)
                case ("remove",):
                    incident.remove_attribute(by, next(iter(incident.attributes), ""), None)
                case ("delete",):
                    incident.delete(by, None)
                case ("restore",):
                    incident.restore(by, None)
                case ("revert",):
                    incident.revert(by, 0, self.first, None)
                case ("add", text) if comment is None:
                    self.comment = Comment.add(by, uuid4(), incident.id, text)
                case ("reword", text) if comment is not None:
                    comment.edit(by, text, None, moderator=False)
                case ("take back",) if comment is not None:
                    comment.remove(by, None, moderator=False)
                case ("define", name):
                    self.schema.define(by, name, AttributeType.INT, {})
                case ("retire", name):
                    self.schema.retire(by, name, {})

    @property
    def aggregates(self) -> list[Any]:
        return [one for one in (self.incident, self.comment, self.schema) if one is not None]


@settings(max_examples=20, deadline=None, suppress_health_check=QUIETLY)
@given(first=details, some=attributes, steps=STEPS)
async def test_a_fold_says_what_the_aggregates_say_and_what_the_tables_have(
    build: Building, first: Any, some: Any, steps: Sequence[tuple[Any, ...]]
) -> None:
    life = Life(first, some)
    for step in steps:
        life.take(*step)
    before = len(await build.engine.log.read(0, 10_000))
    recorded = [await build.record(*one.collect_events()) for one in life.aggregates]
    await build.catch_up()
    for facts in recorded:
        if facts:
            rows = await folded_rows(build, facts)
            for table in tables_of(build.models()):
                assert Counter(rows.get(table.what, [])) == Counter(await live_rows(build, table, facts)), table.what
            assert documents_of(rows) == aggregates_of(facts)
    walk = await walked(build, before)
    assert walk.doubts == set()
    assert not walk.given_up


async def folded_rows(build: Building, facts: Sequence[Recorded]) -> dict[str, list[Any]]:
    """From what the log stored, by table."""
    events = [
        Told(id, subject, position, version, at, topic, members_of(topic, state))
        for position, id, version, topic, state, _, subject, at, *_ in await build.engine.log.plain(0, 10_000)
        if id == facts[0].event.originator_id.hex
    ]
    whole, past = folded(events)
    tables = tables_of(build.models())
    rows = {table.what: whole.rows(table.what) for table in tables if table.kind == whole.kind}
    return {**rows, "past_incidents": past}


async def live_rows(build: Building, table: ModelTable, facts: Sequence[Recorded]) -> list[Any]:
    event = facts[0].event
    id = event.tenant_id if table.kind == "definitions" else str(event.originator_id)
    if table.kind == "definitions" and not isinstance(event, AttributeSchema.Event):
        return []
    rows = await build.engine.database.fetch(
        f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {table.place[-1]} = $1", id
    )
    return [tuple(row) for row in rows]


def documents_of(rows: dict[str, list[Any]]) -> list[Any]:
    """Of every version of an incident, of what a comment is now."""
    versions = [row[-2] for row in rows["past_incidents"]]
    newest = [row[-1] for what in ("incidents", "comments") for row in rows.get(what, [])]
    return [orjson.loads(document) for document in (*versions, *newest)]


def aggregates_of(facts: Sequence[Recorded]) -> list[Any]:
    whole = fold(facts)
    if isinstance(whole, Incident):
        return [incident_document(fold(facts[: number + 1])) for number in range(len(facts))]
    return [comment_document(whole)] if isinstance(whole, Comment) and not whole.removed else []


async def walked(build: Building, after: int = 0, part: int = 50, **room: int) -> RowWalk:
    """The log beyond a position, with the rows of the read models."""
    head = await build.engine.log.head()
    walk = RowWalk(build.engine.database, tables_of(build.models()), head, **room)
    for first in range(after + 1, head + 1, part):
        last = min(first + part - 1, head)
        events = await build.engine.log.plain(first - 1, last - first + 1)
        await walk.part(events, await walk.past(events, first, last))
    await walk.end()
    return walk


async def test_columns_are_those_of_the_tables(build: Building) -> None:
    database = build.engine.database
    for table in tables_of(build.models()):
        found = await database.fetch(database.dialect.column_names, table.name)
        assert tuple(name for (name,) in found) == table.columns, table.name


async def test_every_row_is_counted_once(build: Building) -> None:
    await build.record(*long_history(200))
    await build.catch_up()
    walk = await walked(build)
    assert walk.doubts == set()
    assert walk.matched == await counted(build)


async def test_what_changes_after_it_was_let_go_is_in_doubt_and_nothing_else(build: Building) -> None:
    await build.record(*long_history(200))
    await build.catch_up()
    walk = await walked(build, part=7, room=0)
    assert not walk.given_up
    rows = await counted(build)
    assert rows["past_incidents"] > walk.matched["past_incidents"] > 0
    assert rows["incidents"] == walk.matched["incidents"] + len(walk.doubts)


async def test_an_incident_with_a_version_that_no_event_made_is_in_doubt_and_no_other(build: Building) -> None:
    """It ends with an event of another incident, and the incident itself goes on after that one."""
    await build.record(*long_history(200))
    await build.catch_up()
    (past,) = (table for table in tables_of(build.models()) if table.what == PAST)
    id_at, until_at, version_at = map(past.columns.index, ("id", "to_position", "occ_lock"))
    async with build.engine.database.transaction() as rows:
        found = await rows.fetch(f"SELECT {', '.join(past.columns)} FROM {past.name} ORDER BY to_position")
        row = next(list(row) for before, row in pairwise(found) if before[id_at] != row[id_at])
        row[until_at], row[version_at] = row[until_at] - 1, 99
        await rows.insert(past.name, [row])
    assert (await walked(build, part=200)).doubts == {row[id_at].replace("-", "")}


async def counted(build: Building) -> Counter[str]:
    tables = tables_of(build.models())
    rows = [await build.engine.database.fetch(f"SELECT count(*) FROM {table.name}") for table in tables]
    return Counter({table.what: n for table, ((n,),) in zip(tables, rows, strict=True)})
