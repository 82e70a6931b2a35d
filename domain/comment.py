"""A comment on an incident: an aggregate of its own, so that commenting never moves the incident's lock."""

from typing import Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.erasure import OF_COMMENT, Erasing, Fields, erasing
from domain.errors import Absent, Forbidden, Invalid
from domain.event import Act, ActEvent, Json, Kept, Match
from domain.rules import COMMENT_TEXT


class Comment(Kept):
    TOPIC = "Comment"

    def __init__(self, incident_id: UUID, text: str, tenant_id: str, user_id: str, user_name: str) -> None:
        super().__init__(tenant_id, user_id)
        self.incident_id = incident_id
        self.text = text
        self.author_id = user_id
        self.author_name = user_name
        self.removed = False
        self.erased = False
        """All of it is gone; `removed` is true then as well."""

    class Event(Kept.Event, ActEvent):
        TOPIC = "CommentEvent"
        incident_id: UUID

        @property
        def subject_id(self) -> UUID:
            return self.incident_id

    class CommentAdded(Event, Aggregate.Created):
        TOPIC = "CommentAdded"
        text: str

        def mutate(self, _: Any) -> Any:
            comment = Comment.unborn(self)
            Comment.__init__(comment, self.incident_id, self.text, self.tenant_id, self.user_id, self.user_name)
            return comment

        def changes(self) -> dict[str, Json]:
            return {"text": {"from": None, "to": self.text}}

    class CommentEdited(Event):
        TOPIC = "CommentEdited"
        old_text: str
        text: str

        def apply(self, comment: "Comment") -> None:
            comment.text = self.text
            comment.updated_by = self.user_id

        def changes(self) -> dict[str, Json]:
            return {"text": {"from": self.old_text, "to": self.text}}

    class CommentRemoved(Event):
        TOPIC = "CommentRemoved"
        old_text: str

        def apply(self, comment: "Comment") -> None:
            comment.removed = True
            comment.updated_by = self.user_id

        def changes(self) -> dict[str, Json]:
            return {"text": {"from": self.old_text, "to": None}}

    class CommentErased(Event, Erasing):
        TOPIC = "CommentErased"

        def nothing(self) -> "Comment":
            comment = Comment.unborn(self)
            Comment.__init__(comment, self.incident_id, "", self.tenant_id, "", "")
            return comment

        def apply(self, comment: "Comment") -> None:
            comment.text = comment.author_id = comment.author_name = ""
            comment.removed = comment.erased = True
            comment.updated_by = self.user_id

    @classmethod
    def add(cls, act: Act, id: UUID, incident_id: UUID, text: str) -> "Comment":
        """Raises Invalid."""
        _check(text)
        return cls.begin(cls.CommentAdded, id, act, incident_id=incident_id, text=text)

    def edit(self, act: Act, text: str, occ_lock: int | None, match: Match = None, *, moderator: bool) -> None:
        """Only its author or a moderator. Raises Absent, Forbidden, Unmatched, Stale, Invalid."""
        self._allow(act, occ_lock, match, moderator)
        if text != self.text:
            _check(text)
        self.trigger_event(
            self.CommentEdited, incident_id=self.incident_id, old_text=self.text, text=text, **act.facts()
        )

    def remove(self, act: Act, occ_lock: int | None, match: Match = None, *, moderator: bool) -> None:
        """Only its author or a moderator, and for good. Raises Absent, Forbidden, Unmatched, Stale."""
        self._allow(act, occ_lock, match, moderator)
        self.trigger_event(self.CommentRemoved, incident_id=self.incident_id, old_text=self.text, **act.facts())

    def erase(
        self, act: Act, fields: Fields, reason: str, redacted: dict[str, str], occ_lock: int | None, match: Match = None
    ) -> None:
        """Its text is all that there is of it, so it is gone for good whatever is named; removed before or not.

        Raises Absent, Unmatched, Stale, Invalid.
        """
        content = erasing(self, act, fields, reason, redacted, occ_lock, match, gone=self.erased, allowed=OF_COMMENT)
        self.trigger_event(self.CommentErased, incident_id=self.incident_id, **content)

    def _allow(self, act: Act, occ_lock: int | None, match: Match, moderator: bool) -> None:
        if self.removed:
            raise Absent
        if not moderator and act.user_id != self.author_id:
            raise Forbidden("only the comment's author or a deployer may change it")
        self.expect(occ_lock, match)


def _check(text: str) -> None:
    fault = COMMENT_TEXT(text)
    if fault is not None:
        raise Invalid([fault.at("text")])
