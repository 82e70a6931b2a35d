"""From one engine to the other and back: the same rows, the same identity, the same bytes; then it is served."""

import asyncio
import gzip
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit.checkpoint import origin_of, signed
from service.audit.errors import ExportDamaged
from service.audit.export import export
from service.audit.export_file import closing_line, header_line, row_line
from service.audit.notes import Signer
from service.audit.root import Root
from service.settings import Settings
from service.store.feed import READ_EVENTS
from tests.audit import stores
from tests.audit.stores import exported, imported, rows
from tests.audit.test_export_file import read
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.load import INCIDENTS, authorization, client, load
from tests.projections.histories import long_history
from tests.servers.process import ServiceProcess

CHECKPOINT = "/v1/audit/checkpoint"


@pytest.fixture
def on_postgres(empty_postgres_dsn: str, tmp_path: Path) -> Settings:
    """A database without a log."""
    return stores.postgres(empty_postgres_dsn, tmp_path / "postgres")


async def test_sqlite_to_postgres_and_back_is_the_same_to_the_byte(
    on_sqlite: Settings, on_postgres: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await stores.fill(on_sqlite, long_history(2 * READ_EVENTS + 100))
    gone = [position for one in (3, 700) for position in await stores.erase_by_order(on_sqlite, one)]
    first = await exported(on_sqlite, tmp_path / "1.ndjson")
    await imported(on_postgres, tmp_path / "1.ndjson")
    second = await exported(on_postgres, tmp_path / "2.ndjson")
    await imported(elsewhere, tmp_path / "2.ndjson")
    third = await exported(elsewhere, tmp_path / "3.ndjson")
    assert first == second == third
    assert first.count(b"\n") == 2 * READ_EVENTS + 104
    assert await rows(on_sqlite) == await rows(on_postgres) == await rows(elsewhere)
    assert [row.position for row in await rows(elsewhere) if row.state is None] == sorted(gone)


async def test_compressed_it_is_the_same_log_and_the_same_log_is_the_same_file(
    on_sqlite: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await stores.fill(on_sqlite, long_history(300))
    plain = await exported(on_sqlite, tmp_path / "plain")
    for name in ("a.gz", "b.gz"):
        await export(on_sqlite, tmp_path / name, packed=True)
    packed = (tmp_path / "a.gz").read_bytes()
    assert packed == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 4
    await imported(elsewhere, tmp_path / "a.gz")
    assert await exported(elsewhere, tmp_path / "again") == plain


async def test_an_empty_log_is_a_log(on_sqlite: Settings, on_postgres: Settings, tmp_path: Path) -> None:
    await stores.begin(on_sqlite)
    empty = await exported(on_sqlite, tmp_path / "empty")
    await imported(on_postgres, tmp_path / "empty")
    assert await exported(on_postgres, tmp_path / "again") == empty


async def test_what_was_imported_is_served_with_its_read_models(
    start_service: Callable[..., ServiceProcess], on_postgres: Settings, tmp_path: Path
) -> None:
    """A service writes on SQLite while the log is exported; PostgreSQL goes on from there."""
    here = start_service()
    headers = authorization(here)
    async with client(here.url, headers) as one, load(lambda: here.url, headers, clients=3):
        incident = await one.report()
        await asyncio.to_thread(here.command, "audit", "export", "first.ndjson")
        later = await one.report()
        await asyncio.to_thread(here.command, "audit", "export", "second.ndjson.gz")
    first, second = read(tmp_path / "first.ndjson")[1], read(tmp_path / "second.ndjson.gz")[1]
    assert second[: len(first)] == first
    assert len(first) < len(second)
    here.terminate()
    await imported(on_postgres, tmp_path / "second.ndjson.gz")
    there = start_service(database_url=on_postgres.database_url, rate_limit="off")
    async with client(there.url, authorization(there)) as one:
        log = await audit(on_postgres.database_url)
        assert len(log) == len(second)
        await agree(one, log)
        for before in (incident, later):
            assert (await one.ask("GET", f"{INCIDENTS}/{before['id']}")).data == before
        assert (await one.ask("PATCH", f"{INCIDENTS}/{incident['id']}", {"status": "OPEN"})).position == len(log) + 1


async def test_the_tree_has_the_root_that_was_signed_where_it_came_from(
    start_service: Callable[..., ServiceProcess], on_postgres: Settings, tmp_path: Path
) -> None:
    here = start_service()
    async with client(here.url, authorization(here)) as one:
        for number in range(20):
            await one.report(name=f"Number {number}")
        told = (await one.ask("GET", CHECKPOINT)).data
    assert told["size"] == 20
    await asyncio.to_thread(here.command, "audit", "export", "export")
    file = tmp_path / "export"
    header, _, closing = read(file)
    assert header.checkpoint == told["checkpoint"]
    assert b64encode(closing.root).decode() == told["root"]
    await imported(on_postgres, file)
    there = start_service(database_url=on_postgres.database_url)
    async with client(there.url, authorization(there)) as one:
        again = (await one.ask("GET", CHECKPOINT)).data
    assert (again["origin"], again["size"], again["root"]) == (told["origin"], told["size"], told["root"])


async def test_a_checkpoint_that_the_events_do_not_come_to_is_noticed(
    on_sqlite: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await stores.fill(on_sqlite, long_history(600))
    await exported(on_sqlite, tmp_path / "export")
    header, log, closing = read(tmp_path / "export")
    root = Root()
    root.grow(log[:300])
    signer = Signer(origin_of(header.log_id), Ed25519PrivateKey.generate())
    for size, hash_, problem in (
        (300, root.hash, ""),
        (600, closing.root, ""),
        (299, root.hash, "the first 299 events are not those that the checkpoint was signed of"),
        (601, closing.root, "600 events, where a checkpoint was signed of 601"),
    ):
        note = signed(signer, size, hash_).note
        lines = [header_line(header._replace(checkpoint=note)), *map(row_line, log), closing_line(closing)]
        (tmp_path / "signed").write_bytes(b"".join(lines))
        if problem:
            with pytest.raises(ExportDamaged, match=problem):
                await imported(elsewhere, tmp_path / "signed")
        else:
            await imported(elsewhere, tmp_path / "signed")
            await stores.sql(elsewhere, "DELETE FROM log")
