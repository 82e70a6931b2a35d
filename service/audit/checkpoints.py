"""The checkpoints that were signed and the keys that signed them, kept beside the log: any process can show them."""

from collections.abc import Sequence

from projections.database import Database
from service.audit.checkpoint import Checkpoint, checkpoint_of
from service.audit.notes import Verifier

_KEYS = "SELECT key, number FROM audit_keys ORDER BY number, key"


class Checkpoints:
    """Every method raises Unavailable when the database is away."""

    def __init__(self, kept: Database) -> None:
        self._kept = kept

    async def trust(self, key: Verifier) -> None:
        """Old keys stay: what they signed can be verified for ever."""
        async with self._kept.transaction(durable=True) as rows:
            await rows.execute(
                """INSERT INTO audit_keys (key, number) VALUES ($1, (SELECT count(*) FROM audit_keys))
                   ON CONFLICT (key) DO NOTHING""",
                key.text,
            )

    async def keys(self) -> list[Verifier]:
        """Newest first. Raises NoteInvalid where somebody put something else there."""
        found = await self._kept.fetch("SELECT key FROM audit_keys ORDER BY number DESC, key")
        return [Verifier.of(key) for (key,) in found]

    async def every_key(self) -> list[tuple[str, int]]:
        """Whatever stands there as keys, with their numbers; in the order of these."""
        return [(key, number) for key, number in await self._kept.fetch(_KEYS)]

    async def origins(self) -> list[str]:
        """Of all checkpoints that are kept."""
        found = await self._kept.fetch("SELECT DISTINCT origin FROM audit_checkpoints ORDER BY origin")
        return [origin for (origin,) in found]

    async def add(self, made: Checkpoint) -> None:
        """The first of one size stays."""
        async with self._kept.transaction(durable=True) as rows:
            await rows.execute(
                "INSERT INTO audit_checkpoints (size, origin, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                made.size, made.origin, made.note,
            )  # fmt: skip

    async def newest(self, origin: str) -> Checkpoint | None:
        """Raises NoteInvalid where somebody put something else there."""
        found = await self._kept.fetch(
            "SELECT note FROM audit_checkpoints WHERE origin = $1 ORDER BY size DESC LIMIT 1", origin
        )
        return checkpoint_of(found[0][0]) if found else None

    async def beyond(self, size: int, origin: str, limit: int) -> Sequence[tuple[int, str, str]]:
        """Size, origin and note of those after the one of this size and origin, whatever they say."""
        found = await self._kept.fetch(
            """SELECT size, origin, note FROM audit_checkpoints WHERE (size, origin) > ($1, $2)
               ORDER BY size, origin LIMIT $3""",
            size, origin, limit,
        )  # fmt: skip
        return [(size, origin, note) for size, origin, note in found]
