"""The read model of comments: its table, what each event does to it, its queries."""

from collections.abc import Sequence
from typing import Any

from domain.comment import Comment
from domain.event import Recorded, fold
from domain.moments import utc_text
from projections.comparison import Compared
from projections.database import Database, Dialect, Json, Rows
from projections.documents import Document, comment_document

COLUMNS = ("tenant_id", "incident_id", "id", "position", "document")


class Comments:
    """A removed or erased comment leaves the table; one on a deleted incident stays and is hidden with it."""

    def __init__(self, dialect: Dialect, json: Json, suffix: str) -> None:
        self._dialect, self._json = dialect, json
        self.table, self.incidents = f"comments{suffix}", f"incidents{suffix}"
        self._upsert = f"""INSERT INTO {self.table} ({", ".join(COLUMNS)})
                           VALUES ($1, $2, $3, $4, $5)
                           ON CONFLICT (tenant_id, incident_id, id) DO UPDATE SET document = excluded.document"""

    def tables(self) -> list[str]:
        text, binary = self._dialect.text, self._dialect.binary
        return [
            f"""CREATE TABLE IF NOT EXISTS {self.table} (
                tenant_id {text} NOT NULL, incident_id {text} NOT NULL, id {text} NOT NULL, position bigint NOT NULL,
                document {binary} NOT NULL, PRIMARY KEY (tenant_id, incident_id, id))""",
            *self._dialect.unsampled(self.table, "document"),
        ]

    def indexes(self) -> list[str]:
        return [
            f"""CREATE INDEX IF NOT EXISTS {self.table}_oldest
                ON {self.table} (tenant_id, incident_id, position)"""
        ]

    def compared(self) -> list[Compared]:
        return [Compared(self.table, ("tenant_id", "incident_id", "id"))]

    async def apply(self, rows: Rows, batch: Sequence[Recorded]) -> None:
        written: dict[tuple[str, str, str], tuple[int, Document]] = {}
        removed = []
        for fact in batch:
            event = fact.event
            if not isinstance(event, Comment.Event):
                continue
            key = (event.tenant_id, str(event.incident_id), str(event.originator_id))
            if isinstance(event, Comment.CommentAdded):
                written[key] = (fact.position, comment_document(fold([fact])))
            elif isinstance(event, Comment.CommentEdited):
                position, document = written.get(key) or await self._stored(rows, key)
                document["text"] = event.text
                document["updated_at"] = utc_text(fact.recorded_at)
                document["updated_by"] = event.user_id
                document["occ_lock"] = event.originator_version
                written[key] = (position, document)
            else:
                written.pop(key, None)
                removed.append(key)
        if written:
            await rows.many(
                self._upsert,
                [(*key, position, self._json.dumps(document)) for key, (position, document) in written.items()],
            )
        if removed:
            await self._remove(rows, removed)

    async def erase(self, rows: Rows, event: Comment.CommentErased) -> None:
        """In tables that are not built further now, or by another follower, which meets the event in its turn."""
        await self._remove(rows, [(event.tenant_id, str(event.incident_id), str(event.originator_id))])

    async def _remove(self, rows: Rows, keys: Sequence[tuple[str, str, str]]) -> None:
        await rows.many(f"DELETE FROM {self.table} WHERE tenant_id = $1 AND incident_id = $2 AND id = $3", keys)

    async def _stored(self, rows: Rows, key: tuple[str, str, str]) -> tuple[int, Document]:
        found = await rows.fetch(
            f"SELECT position, document FROM {self.table} WHERE tenant_id = $1 AND incident_id = $2 AND id = $3", *key
        )
        if not found:
            raise LookupError("an event of a comment that is not there")
        position, document = found[0]
        return position, self._json.loads(document)

    async def page(
        self, database: Database, tenant_id: str, incident_id: str, size: int, offset: int = 0, after: int | None = None
    ) -> tuple[int, list[tuple[bytes, int]]] | None:
        """How many there are, and the documents of a page with their places, oldest first; None without the incident.

        `after` is the place of the comment before the page.
        """
        beyond = "" if after is None else f"AND position > {after:d}"
        rows: Sequence[Sequence[Any]] = await database.fetch(
            f"""SELECT counted.total, page.document, page.position
                FROM (SELECT (SELECT count(*) FROM {self.table} WHERE tenant_id = $1 AND incident_id = $2) AS total
                      FROM {self.incidents} WHERE tenant_id = $1 AND id = $2 AND deleted = 0) AS counted
                LEFT JOIN (
                    SELECT document, position FROM {self.table} WHERE tenant_id = $1 AND incident_id = $2 {beyond}
                    ORDER BY position LIMIT {size:d} OFFSET {offset:d}
                ) AS page ON true ORDER BY page.position""",
            tenant_id, incident_id,
        )  # fmt: skip
        if not rows:
            return None
        return rows[0][0], [(document, place) for _, document, place in rows if document is not None]
