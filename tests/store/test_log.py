"""The contract of a log, on both engines."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from projections.documents import Document
from projections.leaves import microseconds_of
from service.audit.verify.contents import leaf_of_row
from service.store.history import change_of, folded
from service.store.log import Entry, Log, Outcome, Row, Verdict, excerpt_of
from service.store.mapper import UnreadableEvent
from tests.domain.examples import TENANT
from tests.store.engines import Engine, PostgresEngine, SqliteEngine, every
from tests.store.events import births, entry

A, B = UUID(int=0xA), UUID(int=0xB)
COMMAND, OTHER_COMMAND = UUID(int=0xC0), UUID(int=0xC1)
CONFLICT = Outcome(Verdict.CONFLICT)
NO_TEXT = {SqliteEngine: "X'FF00'", PostgresEngine: "'\\xFF00'"}


def is_dense(rows: list[Row]) -> bool:
    times = [row.recorded_at for row in rows]
    return [row.position for row in rows] == list(range(1, len(rows) + 1)) and times == sorted(set(times))


async def append(log: Log, *entries: Entry) -> list[tuple[Verdict, int]]:
    return [(outcome.verdict, outcome.position) for outcome in await log.append(entries)]


async def told(log: Log) -> list[Document]:
    """The history of A."""
    excerpts, _ = await log.page_of_subject(A, 0, 9, 0)
    return [change_of(excerpt) for excerpt in excerpts]


class TestLog:
    async def test_it_begins_empty(self, log: Log) -> None:
        assert await log.head() == 0
        assert await log.read(0, 10) == await log.stream(A) == []
        assert await log.by_command(COMMAND) is None
        assert await log.tenant_of(A) is None
        assert await log.append([]) == []

    async def test_it_has_one_identity(self, engine: Engine, log: Log) -> None:
        async with engine.log() as again:
            assert again.log_id == log.log_id

    async def test_it_knows_whose_an_aggregate_is(self, log: Log) -> None:
        await log.append([entry(A, 0), entry(B, 0)._replace(tenant_id="other")])
        await log.append([entry(A, 1)])
        assert (await log.tenant_of(A), await log.tenant_of(B)) == (TENANT, "other")

    async def test_positions_are_dense_and_times_rise(self, log: Log) -> None:
        before = datetime.now(UTC)
        outcomes = [outcome for number in (1, 256, 3) for outcome in await log.append(births(number))]
        assert [outcome.position for outcome in outcomes] == list(range(1, 261))
        rows = await every(log)
        assert [row.recorded_at for row in rows] == [outcome.recorded_at for outcome in outcomes]
        assert is_dense(rows)
        assert before - timedelta(seconds=1) < rows[0].recorded_at < rows[-1].recorded_at < datetime.now(UTC)
        assert await log.head() == 260

    async def test_times_rise_where_the_clock_was_set_back(self, engine: Engine, log: Log) -> None:
        await log.append(births(1))
        future = datetime(2200, 1, 1, tzinfo=UTC)
        written = "'2200-01-01 00:00:00Z'" if "postgres" in engine.url else int(future.timestamp() * 1_000_000)
        await engine.sql(f"UPDATE log SET recorded_at = {written}")
        await log.append(births(2))
        assert [row.recorded_at - future for row in await every(log)] == [timedelta(microseconds=n) for n in range(3)]

    async def test_a_row_comes_back_as_it_was_written(self, log: Log) -> None:
        written = entry(A, 0, COMMAND, name="Ǻ 🚒 \u2028")
        (outcome,) = await log.append([written])
        (row,) = await log.read(0, 10)
        assert outcome.recorded_at is not None
        assert row == Row(
            1, A, 0, "IncidentReported", written.state, TENANT, A, outcome.recorded_at, COMMAND, written.salt,
            written.digest,
        )  # fmt: skip
        assert row.recorded_at.utcoffset() == timedelta(0)
        assert {type(id) for id in (row.originator_id, row.subject_id, row.command_id)} == {UUID}
        assert type(log.log_id) is UUID

    async def test_the_digest_is_of_salt_and_state(self, engine: Engine, log: Log) -> None:
        await log.append(births(3))
        rows = await engine.sql("SELECT salt, state, digest FROM log")
        assert all(hashlib.sha256(bytes(salt) + bytes(state)).digest() == digest for salt, state, digest in rows)
        assert {len(salt) for salt, _, _ in rows} == {16}
        assert len({bytes(salt) for salt, _, _ in rows}) == 3

    async def test_a_version_is_taken_once(self, log: Log) -> None:
        await log.append([entry(A, 0), entry(B, 0)])
        assert await log.append([entry(A, 0)]) == [CONFLICT]
        assert await append(log, entry(A, 1)) == [(Verdict.APPENDED, 3)]
        assert await log.append([entry(A, 1)]) == [CONFLICT]

    async def test_a_version_needs_the_one_before_it(self, log: Log) -> None:
        assert await log.append([entry(A, 1)]) == [CONFLICT]
        await log.append([entry(A, 0)])
        assert await log.append([entry(A, 2)]) == [CONFLICT]
        assert await log.append([entry(B, 1)]) == [CONFLICT]

    async def test_a_loser_fails_alone_and_uses_no_number(self, log: Log) -> None:
        await log.append([entry(A, 0, COMMAND)])
        new = births(3)
        batch = [new[0], entry(A, 0), new[1], entry(B, 7), entry(uuid4(), 0, COMMAND), new[2]]
        assert await append(log, *batch) == [
            (Verdict.APPENDED, 2), (Verdict.CONFLICT, 0), (Verdict.APPENDED, 3), (Verdict.CONFLICT, 0),
            (Verdict.REPEATED, 1), (Verdict.APPENDED, 4),
        ]  # fmt: skip
        assert await append(log, *births(1)) == [(Verdict.APPENDED, 5)]
        assert is_dense(await every(log))

    async def test_the_same_entry_again_is_the_same_success(self, log: Log) -> None:
        first = [entry(A, 0, COMMAND), entry(B, 0)]
        outcomes = await log.append(first)
        assert await log.append(first) == outcomes
        await log.append([entry(A, 1)])
        again = await log.append([entry(B, 1), first[1], *births(1), first[0]])
        assert [outcome.position for outcome in again] == [4, 2, 5, 1]
        assert (again[3], again[1]) == tuple(outcomes)
        assert is_dense(await every(log))

    async def test_a_known_command_is_told_where_it_was_carried_out(self, log: Log) -> None:
        (first,) = await log.append([entry(A, 0, COMMAND)])
        repeated = Outcome(Verdict.REPEATED, 1, first.recorded_at)
        for again in (entry(A, 0, COMMAND), entry(A, 1, COMMAND), entry(A, 5, COMMAND), entry(B, 0, COMMAND)):
            assert await log.append([again]) == [repeated]
        assert await log.head() == 1
        assert await append(log, entry(B, 0, OTHER_COMMAND)) == [(Verdict.APPENDED, 2)]
        row = await log.by_command(OTHER_COMMAND)
        assert row is not None
        assert (row.position, row.command_id) == (2, OTHER_COMMAND)

    async def test_without_a_key_nothing_is_remembered_of_a_command(self, log: Log) -> None:
        await log.append(births(2))
        assert {row.command_id for row in await every(log)} == {None}

    async def test_what_was_erased_is_still_there_but_its_content(self, engine: Engine, log: Log) -> None:
        first = entry(A, 0, COMMAND)
        await log.append([first, entry(B, 0)])
        await engine.sql("UPDATE log SET state = NULL, salt = NULL WHERE notification_id = 1")
        assert [(row.state is None, row.salt is None) for row in await log.read(0, 9)] == [(True, True), (False, False)]
        assert await append(log, entry(A, 0)) == [(Verdict.CONFLICT, 0)]
        assert await append(log, first) == [(Verdict.REPEATED, 1)]
        assert await append(log, entry(A, 1)) == [(Verdict.APPENDED, 3)]
        assert await engine.sql("SELECT digest FROM log WHERE notification_id = 1")

    async def test_it_is_read_in_parts(self, log: Log) -> None:
        await log.append(births(5))
        assert [row.position for row in await log.read(0, 2)] == [1, 2]
        assert [row.position for row in await log.read(3, 9)] == [4, 5]
        assert await log.read(5, 9) == []

    async def test_an_aggregate_is_read_by_versions(self, log: Log) -> None:
        for version in range(4):
            await log.append([entry(A, version), *births(1)])
        assert [row.originator_version for row in await log.stream(A)] == [0, 1, 2, 3]
        assert [row.originator_version for row in await log.stream(A, after=1)] == [2, 3]
        assert [row.originator_version for row in await log.stream(A, after=0, upto=2)] == [1, 2]
        assert [row.position for row in await log.stream(A, upto=0)] == [1]
        assert await log.stream(A, after=3) == []

    async def test_every_aggregate_is_read_by_versions_one_after_another(self, log: Log) -> None:
        await append(log, entry(B, 0), entry(A, 0))
        await append(log, entry(A, 1))
        await append(log, entry(B, 1))
        whole = await log.by_aggregate((UUID(int=0), -1), 10)
        assert [(row.originator_id, row.originator_version) for row in whole] == [(A, 0), (A, 1), (B, 0), (B, 1)]
        assert sorted(whole, key=lambda row: row.position) == await log.read(0, 10)
        assert await log.by_aggregate((A, 0), 2) == whole[1:3]
        assert await log.by_aggregate((B, 1), 2) == []

    async def test_its_rows_are_read_as_plain_values_too(self, engine: Engine, log: Log) -> None:
        keyed = entry(A, 0)._replace(command_id=UUID(int=7))
        await append(log, keyed, entry(B, 0))
        await engine.sql("UPDATE log SET state = NULL, salt = NULL WHERE notification_id = 2")
        plain = [
            (
                row.position, row.originator_id.hex, row.originator_version, row.topic, row.state, row.tenant_id,
                row.subject_id.hex, microseconds_of(row.recorded_at), row.command_id and row.command_id.hex, row.salt,
                row.digest,
            )
            for row in await log.read(0, 10)
        ]  # fmt: skip
        assert [tuple(row) for row in await log.plain(0, 2)] == plain
        assert [tuple(row) for row in await log.plain(0, 10)] == plain
        assert [row[0] for row in await log.plain(1, 10)] == [2]
        assert [row[0] for row in await log.plain(0, 1)] == [1]

    async def test_where_rows_are_gone_those_beyond_are_read(self, engine: Engine, log: Log) -> None:
        await append(log, entry(A, 0), entry(B, 0))
        await append(log, entry(A, 1), entry(B, 1))
        await engine.sql("DELETE FROM log WHERE notification_id IN (2, 3)")
        assert [row.position for row in await log.read(0, 2)] == [1, 4]
        assert [row[0] for row in await log.plain(0, 2)] == [1, 4]
        assert [row[0] for row in await log.plain(1, 1)] == [4]

    async def test_its_leaves_are_the_columns_of_its_rows(self, engine: Engine, log: Log) -> None:
        await append(log, entry(A, 0), entry(B, 0))
        await append(log, entry(A, 1))
        await engine.sql("UPDATE log SET state = NULL, salt = NULL WHERE notification_id = 2")
        leaves = await log.leaves(0, 10)
        assert leaves == [leaf_of_row(row) for row in await log.read(0, 10)]
        assert [leaf.position for leaf in leaves] == [1, 2, 3]
        assert await log.leaves(1, 1) == leaves[1:2]

    async def test_a_tenants_rows_are_read_without_looking_at_others(self, log: Log) -> None:
        mine = [entry(UUID(int=n), 0)._replace(tenant_id="m") for n in range(1, 8)]
        for number, row in enumerate(mine):
            others = births(number)  # of a tenant that comes before it, or after it, in the index
            await log.append([other._replace(tenant_id="lz"[number % 2]) for other in others] + [row])
        positions = [row.position for row in await log.of_tenant("m", 0, 100)]
        assert positions == [1, 3, 6, 10, 15, 21, 28]
        assert [row.originator_id for row in await log.of_tenant("m", 0, 100)] == [UUID(int=n) for n in range(1, 8)]
        assert [row.position for row in await log.of_tenant("m", 6, 2)] == [10, 15]
        assert await log.of_tenant("m", 28, 9) == await log.of_tenant("nobody", 0, 9) == []

    async def test_it_tells_its_tenants_where_their_events_are_and_their_digests(self, log: Log) -> None:
        assert await log.tenants() == []
        assert await log.digests([1]) == {}
        owners = ["b", "a", "b", "c", "a", "b-2"]
        entries = [born._replace(tenant_id=owner) for born, owner in zip(births(6), owners, strict=True)]
        await log.append(entries)
        assert sorted(await log.tenants()) == [("a", 5), ("b", 3), ("b-2", 6), ("c", 4)]
        assert [await log.count("a", after) for after in (0, 2, 4, 5, 9)] == [2, 1, 1, 0, 0]
        assert await log.count("stranger", 0) == 0
        assert await log.digests([2, 6, 7]) == {2: ("a", entries[1].digest), 6: ("b-2", entries[5].digest)}

    async def test_declared_restored_it_is_another_log_with_the_same_events(self, engine: Engine, log: Log) -> None:
        await log.append(births(3))
        before = log.log_id
        assert not log.restored
        async with engine.log() as other:
            await other.restore()
            assert (other.log_id, other.restored) == (await log.identity())[:2]
            assert other.log_id != before == log.log_id  # until it is opened again
            second = other.log_id
            await other.restore()
            assert other.log_id not in (before, second)
        async with engine.log() as again:
            assert again.restored
            assert is_dense(await every(again))
            assert await again.head() == 3

    async def test_what_is_about_one_subject_is_read_in_order(self, log: Log) -> None:
        for version in range(4):
            comment = births(1)[0]._replace(subject_id=A)
            await log.append([entry(A, version), comment, entry(B, version), *births(2)])
        assert [row.position for row in await log.of_subject(A, 0, 100)] == [1, 2, 6, 7, 11, 12, 16, 17]
        assert [row.position for row in await log.of_subject(A, 2, 3)] == [6, 7, 11]
        assert {row.subject_id for row in await log.of_subject(A, 0, 100)} == {A}
        assert await log.of_subject(uuid4(), 0, 9) == []
        for after, limit, offset, positions in ((0, 3, 0, [1, 2, 6]), (2, 3, 2, [11, 12, 16]), (0, 9, 9, [])):
            rows, total = await log.page_of_subject(A, after, limit, offset)
            assert ([row.position for row in rows], total) == (positions, (8, 17))
            wanted = [row for row in await log.of_subject(A, 0, 100) if row.position in positions]
            assert rows == [excerpt_of(row) for row in wanted]
        assert await log.page_of_subject(uuid4(), 0, 9, 0) == ([], (0, 0))

    async def test_events_that_were_counted_before_are_not_counted_again(self, log: Log) -> None:
        for version in range(3):
            await log.append([entry(A, version), entry(B, version)])
        _, counted = await log.page_of_subject(A, 0, 1, 0)
        assert counted == (3, 5)
        assert (await log.page_of_subject(A, 0, 1, 9, counted))[1] == (3, 5)
        await log.append([entry(A, 3), entry(B, 3)])
        rows, more = await log.page_of_subject(A, 0, 2, 2, counted)
        assert ([row.position for row in rows], more) == ([5, 7], (4, 7))
        assert (await log.page_of_subject(A, 0, 1, 0, counted._replace(total=100)))[1] == (101, 7)

    async def test_content_that_is_no_text_any_more_is_called_unreadable(self, engine: Engine, log: Log) -> None:
        await log.append([entry(A, 0)])
        await engine.sql(f"UPDATE log SET state = {NO_TEXT[type(engine)]} WHERE notification_id = 1")
        assert [change.get("unreadable") for change in await told(log)] == [True], "its place is shown"
        with pytest.raises(UnreadableEvent):
            await folded(await log.stream(A))

    async def test_the_position_at_a_time_is_the_last_one_recorded_by_then(self, log: Log) -> None:
        moment, endless = timedelta(microseconds=1), datetime(2999, 12, 31, tzinfo=UTC)
        assert await log.position_at(endless) == 0
        for some in (1, 2, 70):
            await log.append(births(some))
        rows = await every(log)
        for before, row in zip([None, *rows], rows, strict=False):
            assert await log.position_at(row.recorded_at) == row.position
            earlier = await log.position_at(row.recorded_at - moment)
            assert earlier == (before.position if before else 0)
        assert await log.position_at(rows[0].recorded_at - timedelta(days=9)) == 0
        assert await log.position_at(endless) == await log.position_at(rows[-1].recorded_at + moment) == 73

    async def test_several_writers_leave_no_hole(self, engine: Engine) -> None:
        shared = [uuid4() for _ in range(8)]

        async def write(log: Log) -> list[Outcome]:
            outcomes = []
            for version in range(10):
                outcomes += await log.append([entry(id, version) for id in shared] + births(2))
            return outcomes

        async with engine.log() as first, engine.log() as second:
            both = await asyncio.gather(write(first), write(second))
            rows = await every(first)
        won = sorted(outcome.position for outcomes in both for outcome in outcomes if outcome.position)
        assert won == [row.position for row in rows]
        assert is_dense(rows)
        versions = [(row.originator_id, row.originator_version) for row in rows]
        assert len(set(versions)) == len(versions) == 2 * 10 * 2 + 8 * 10
        assert all(outcome.verdict is not Verdict.REPEATED for outcomes in both for outcome in outcomes)


async def test_another_default_isolation_of_the_database_does_no_harm(engine: Engine) -> None:
    if "postgres" in engine.url:
        name = engine.url.rpartition("/")[2]
        await engine.sql(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    await TestLog().test_several_writers_leave_no_hole(engine)
