"""The last event that each generation of tables was brought to, written by the transaction that moves the position."""

from collections.abc import Iterable

from projections.database import Dialect, Rows


def tables(dialect: Dialect) -> list[str]:
    """Beside `followers`, not in it: processes of the release before go on with that table as they know it, and move
    positions without a digest. So a row counts only where its position is the follower's."""
    return [
        f"""CREATE TABLE IF NOT EXISTS applied_events (
            follower {dialect.text} NOT NULL,
            generation integer NOT NULL,
            position bigint NOT NULL,
            digest {dialect.text} NOT NULL,
            PRIMARY KEY (follower, generation)
        )"""
    ]


async def put(rows: Rows, follower: str, generation: int, position: int, digest: bytes) -> None:
    await rows.execute(
        """INSERT INTO applied_events VALUES ($1, $2, $3, $4) ON CONFLICT (follower, generation)
           DO UPDATE SET position = excluded.position, digest = excluded.digest""",
        follower, generation, position, digest.hex(),
    )  # fmt: skip


async def copy(rows: Rows, source: str, follower: str, generation: int) -> None:
    """`follower` goes on with the tables that `source` filled."""
    if source == follower:
        return
    await rows.execute("DELETE FROM applied_events WHERE follower = $1 AND generation = $2", follower, generation)
    await rows.execute(
        """INSERT INTO applied_events SELECT $1, generation, position, digest FROM applied_events
           WHERE follower = $2 AND generation = $3""",
        follower, source, generation,
    )  # fmt: skip


async def forget(rows: Rows, follower: str) -> None:
    await rows.execute("DELETE FROM applied_events WHERE follower = $1", follower)


async def keep(rows: Rows, follower: str, used: Iterable[int]) -> None:
    """Those of these generations; the tables of the others are gone."""
    others = "".join(f" AND generation <> {generation:d}" for generation in used)
    await rows.execute(f"DELETE FROM applied_events WHERE follower = $1{others}", follower)
