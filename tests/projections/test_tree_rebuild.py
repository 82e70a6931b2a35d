"""The audit tree built anew beside the live one: its root is the same, what differs is named."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from projections.audit_tree import FOLLOWER, REBUILD
from projections.merkle import root
from projections.tiles import Tiles, generations
from service.audit.checkpoint import origin_of, signed
from service.audit.checkpoints import Checkpoints
from service.audit.errors import TreeDiverged
from service.audit.notes import Signer
from service.audit.rebuilding import rebuild, tree_rebuilding
from service.settings import Settings
from tests.audit.recursive import mth
from tests.projections.building import Building
from tests.projections.histories import long_history
from tests.projections.test_audit_tree import grown, leaves, root_of

SIZE = 600


@pytest.fixture
async def settings(build: Building, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Of a log whose tree is built."""
    await build.record(*long_history(SIZE))
    await grown(build)
    on_postgres = "postgres" in request.node.name
    return Settings(data_dir=tmp_path, database_url=request.getfixturevalue("postgres_dsn") if on_postgres else "")


async def _live(build: Building) -> tuple[int, int]:
    state = await build.leases.state(FOLLOWER)
    assert state is not None
    return state.generation, state.position


async def test_it_has_the_root_of_the_live_one_and_takes_its_place(
    build: Building, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await root_of(build, SIZE)
    await rebuild(settings)
    assert f"0 hashes differ from the live tree; root at {SIZE} events: {before.hex()}" in capsys.readouterr().out
    assert await _live(build) == (2, SIZE)
    assert await root_of(build, SIZE) == before == mth(await leaves(build))
    assert await generations(build.engine.database) == [2]
    await build.record(*long_history(SIZE + 5)[SIZE:])
    assert await grown(build) == SIZE + 5
    assert await root_of(build, SIZE + 5) == mth(await leaves(build))


async def test_what_the_live_one_has_otherwise_is_named_and_put_right(
    build: Building, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles, database = Tiles(build.engine.database.dialect, 1), build.engine.database
    (whole,) = await tiles.of_level(database, 0, 1, 1)
    async with database.transaction() as rows:
        await tiles.write(rows, {(0, 1): whole[1][:32] + b"\0" * 32 + whole[1][64:]})
    await rebuild(settings)
    said = capsys.readouterr().out
    assert "1 hashes differ from the live tree" in said
    assert said.splitlines()[-1] == "  position 258"
    assert await root_of(build, SIZE) == mth(await leaves(build))


async def test_a_log_that_contradicts_what_was_signed_is_refused_and_the_live_one_stays(
    build: Building, settings: Settings
) -> None:
    origin = origin_of(build.engine.log.log_id)
    await Checkpoints(build.engine.kept).add(signed(Signer(origin, Ed25519PrivateKey.generate()), 300, b"\1" * 32))
    before = await root_of(build, SIZE)
    with pytest.raises(TreeDiverged, match="does not give the root that was signed at 300 events"):
        await rebuild(settings)
    assert await _live(build) == (1, SIZE)
    assert await root_of(build, SIZE) == before
    assert await generations(build.engine.database) == [1]
    assert await build.leases.state(REBUILD) is None


async def test_one_that_was_left_unfinished_leaves_the_live_one_alone_and_the_next_begins_again(
    build: Building, settings: Settings
) -> None:
    before = await root_of(build, SIZE)
    async with tree_rebuilding(build.engine) as one:
        await one.begin()
        await one.load()
    assert await generations(build.engine.database) == [1, 2]
    assert await _live(build) == (1, SIZE)
    assert await root_of(build, SIZE) == before
    await rebuild(settings)
    assert await _live(build) == (2, SIZE)
    assert root(SIZE, await Tiles(build.engine.database.dialect, 2).nodes(build.engine.database, SIZE)) == before


async def test_what_the_live_one_took_meanwhile_is_in_it_too(build: Building, settings: Settings) -> None:
    async with tree_rebuilding(build.engine) as one:
        await one.begin()
        await one.load()
        await build.record(*long_history(SIZE + 7)[SIZE:])
        await grown(build)
        found = await one.compare()
        assert found is not None
        assert (found.size, found.total) == (SIZE, 0)
        await one.switch()
    assert await _live(build) == (2, SIZE + 7)
    assert await root_of(build, SIZE + 7) == mth(await leaves(build))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["publisher"], "publisher: a stream is not built beside another"),
        (["tree"], r"tree: read_models_v\d+ and audit_tree can be built anew"),
        (["audit_tree", "--keep", "7d"], "audit_tree: it is always begun anew, and the one of before is not kept"),
    ],
    ids=["stream", "unknown", "kept"],
)
def test_what_is_not_built_like_this_is_refused_in_a_line(tmp_path: Path, arguments: list[str], why: str) -> None:
    command = [sys.executable, "-m", "service", "projections", "rebuild", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(why, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1
