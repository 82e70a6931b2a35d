"""What the events of a comment, and those of a tenant's schema of attributes, make of it: rows as the read models
should have them."""

from collections.abc import Sequence
from typing import Final

import orjson

from domain.moments import utc_text_of
from projections.documents import Document, newly_added
from service.audit.verify.told import Content, Row, dashed

WEIGHT: Final = 3_000
"""Bytes that one takes in memory beside its text, about."""


class CommentFold:
    """`document` is None once it was removed or erased."""

    __slots__ = ("_position", "document", "place", "version", "weight")
    kind: Final = "comment"

    def __init__(self, id: str, subject: str, position: int, at: int, _topic: str, content: Content) -> None:
        tenant_id = content["tenant_id"]
        self.place = tenant_id, dashed(subject), dashed(id)
        self._position, self.version = position, 0
        self.document: Document | None = newly_added(
            self.place[2], self.place[1], content["user_id"], content["user_name"], content["text"], utc_text_of(at),
            tenant_id,
        )  # fmt: skip
        self.weight = WEIGHT + len(content["text"])

    @classmethod
    def erased(cls, id: str, subject: str, content: Content) -> "CommentFold":
        """Of an event that erases, before which nothing is left."""
        fold = cls.__new__(cls)
        fold.place, fold.document = (content["tenant_id"], dashed(subject), dashed(id)), None
        return fold

    def rows(self, _what: str) -> list[Row]:
        if self.document is None:
            return []
        return [(*self.place, self._position, orjson.dumps(self.document))]

    def follow(self, _position: int, version: int, at: int, topic: str, content: Content) -> None:
        """Raises LookupError where the event is none of a comment that is there."""
        document = self.document
        if document is None or topic not in ("CommentEdited", "CommentRemoved"):
            raise LookupError("an event of a comment that is not there")
        self.version = version
        if topic == "CommentRemoved":
            self.document = None
            return
        document["text"] = content["text"]
        document["updated_at"] = utc_text_of(at)
        document["updated_by"] = content["user_id"]
        document["occ_lock"] = version
        self.weight = WEIGHT + len(content["text"])

    def erase(self, _position: int, _version: int, _at: int, _content: Content, _past: Sequence[Row]) -> list[Row]:
        self.document = None
        return []


class SchemaFold:
    """The definitions of a tenant, those that were retired among them. There are few: they are kept to the end."""

    __slots__ = ("_known", "place", "version")
    kind: Final = "definitions"
    weight: Final = 0

    def __init__(self, _id: str, _subject: str, position: int, at: int, topic: str, content: Content) -> None:
        self.place = (content["tenant_id"],)
        self._known: dict[str, tuple[str, int]] = {}
        self.follow(position, 0, at, topic, content)

    def rows(self, _what: str) -> list[Row]:
        return [(*self.place, name, *known) for name, known in self._known.items()]

    def follow(self, _position: int, version: int, _at: int, topic: str, content: Content) -> None:
        """Raises LookupError for an event of something else."""
        if topic not in ("AttributeDefined", "AttributeRetired"):
            raise LookupError("no event of a schema")
        self.version = version
        self._known[content["name"]] = content["type"], int(topic == "AttributeRetired")
