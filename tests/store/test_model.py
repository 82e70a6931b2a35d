"""Any sequence of batches, against a log that is a Python list."""

import asyncio
from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.store.log import Entry, Log, Verdict
from tests.store.engines import Engine, every
from tests.store.events import entry

AGGREGATES = [UUID(int=n) for n in range(3)]
COMMANDS = [None, UUID(int=0xC0), UUID(int=0xC1)]
TEMPLATE = entry(AGGREGATES[0], 0)
EXAMPLES = {"sqlite_engine": 100, "postgres_engine": 25}

entries = st.builds(
    lambda id, version, command, salt: TEMPLATE._replace(
        originator_id=id, originator_version=version, command_id=command, salt=bytes([salt] * 16)
    ),
    st.sampled_from(AGGREGATES),
    st.integers(0, 3),
    st.sampled_from(COMMANDS),
    st.integers(0, 1),
)


def is_allowed(batch: list[Entry]) -> bool:
    commands = [entry.command_id for entry in batch if entry.command_id]
    return len({entry.originator_id for entry in batch}) == len(batch) and len(set(commands)) == len(commands)


batches = st.lists(st.lists(entries, min_size=1, max_size=3).filter(is_allowed), min_size=1, max_size=8)


class Model:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def position(self, **members: object) -> int:
        """Of the entry with these members; 0 where there is none."""
        found = (all(getattr(entry, name) == value for name, value in members.items()) for entry in self.entries)
        return next((position for position, fits in enumerate(found, start=1) if fits), 0)

    def append(self, batch: list[Entry]) -> list[tuple[Verdict, int]]:
        before = Model()
        before.entries = self.entries[:]
        return [self._append(entry, before) for entry in batch]

    def _append(self, entry: Entry, before: "Model") -> tuple[Verdict, int]:
        here = {"originator_id": entry.originator_id, "originator_version": entry.originator_version}
        if position := before.position(**here, salt=entry.salt):
            return Verdict.APPENDED, position
        if entry.command_id and (position := before.position(command_id=entry.command_id)):
            return Verdict.REPEATED, position
        version = entry.originator_version
        follows = version == 0 or before.position(originator_id=entry.originator_id, originator_version=version - 1)
        if before.position(**here) or not follows:
            return Verdict.CONFLICT, 0
        self.entries.append(entry)
        return Verdict.APPENDED, len(self.entries)


async def agree(log: Log, batches: list[list[Entry]]) -> None:
    model = Model()
    for batch in batches:
        outcomes = await log.append(batch)
        assert [(outcome.verdict, outcome.position) for outcome in outcomes] == model.append(batch)
        times = {row.position: row.recorded_at for row in await every(log)}
        for outcome in outcomes:
            assert outcome.recorded_at == times.get(outcome.position)
    rows = await every(log)
    assert [row.position for row in rows] == list(range(1, len(model.entries) + 1))
    assert [(row.originator_id, row.originator_version, row.command_id) for row in rows] == [
        (entry.originator_id, entry.originator_version, entry.command_id) for entry in model.entries
    ]
    assert [row.recorded_at for row in rows] == sorted({row.recorded_at for row in rows})
    assert await log.head() == len(rows)
    for id in AGGREGATES:
        versions = [row.originator_version for row in await log.stream(id)]
        assert versions == list(range(len(versions)))
    for command in COMMANDS[1:]:
        row = await log.by_command(command)  # type: ignore[arg-type]
        assert (row.position if row else 0) == model.position(command_id=command)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_log_is_a_list(name: str, request: pytest.FixtureRequest, runner: asyncio.Runner) -> None:
    engine: Engine = request.getfixturevalue(name)
    opened = engine.log()
    log: Log = runner.run(opened.__aenter__())

    @settings(
        max_examples=EXAMPLES[name],
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(batches)
    def compare(batches: list[list[Entry]]) -> None:
        runner.run(engine.sql("DELETE FROM log"))
        runner.run(agree(log, batches))

    compare()
    runner.run(opened.__aexit__(None, None, None))
