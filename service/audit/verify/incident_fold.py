"""What the events of one incident make of it, as the rows that the read models should have: folded here from the log's
states, without the code that fills the tables. Only how a document looks is shared with it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from domain.attribute_types import moment_of
from domain.attribute_values import ATTRIBUTES
from domain.erasure import ALL, covers
from domain.moments import instant, utc_text_of
from projections.documents import Document, erase, newly_reported
from projections.folding import name_key
from projections.incident_attributes import value_key
from projections.versions import Version, without
from service.audit.verify.searched import Searched
from service.audit.verify.told import Content, Row, dashed

WEIGHT: Final = 4_000
"""Bytes that an incident takes in memory beside its document, about."""
WEIGHT_OF_VALUE: Final = 400
"""The same of a value that an attribute had."""


class IncidentFold:
    """`version` is the newest one that was folded."""

    __slots__ = (
        "_at", "_created", "_date", "_deleted", "_document", "_ended", "_searched", "_since", "_values", "gone",
        "place", "version", "weight",
    )  # fmt: skip
    kind: Final = "incident"

    def __init__(self, id: str, _subject: str, position: int, at: int, _topic: str, content: Content) -> None:
        """Of the event that reports it."""
        tenant_id, attributes = content["tenant_id"], content["attributes"]
        self.place = tenant_id, dashed(id)
        document = newly_reported(
            self.place[1], content["details"], attributes, utc_text_of(at), content["user_name"], tenant_id
        )
        self._document: Document = document
        self._searched = Searched(document)
        self._date = instant(document["date"])
        self.version = self._deleted = 0
        self.gone = False
        self._since, self._at, self._created = position, at, at
        self._values = {
            name: (value_key(value), moment_of(value), position)
            for name, value in attributes.items()
            if value is not None
        }
        self._ended: list[Row] = []
        self.weight = WEIGHT

    @classmethod
    def erased(cls, id: str, _subject: str, content: Content) -> "IncidentFold":
        """Of an event that erases, before which nothing is left."""
        fold = cls.__new__(cls)
        fold.place, fold.gone = (content["tenant_id"], dashed(id)), True
        return fold

    def rows(self, what: str) -> list[Row]:
        """Of one of the tables; not of the versions of the past, each of which `follow` gives when it ends."""
        if self.gone:
            return []
        if what == "incidents":
            return [self._newest()]
        if what == "past_attributes":
            return self._ended
        return [(*self.place, name, *value) for name, value in self._values.items()]

    def follow(self, position: int, version: int, at: int, topic: str, content: Content) -> Row:
        """Take the next event; returns the row of the version that it ends. Raises LookupError where it is none of an
        incident that is there."""
        if self.gone:
            raise LookupError("an event of an incident that is gone")
        ended = (*self._newest(), position)
        if topic in ("IncidentEdited", "IncidentReverted"):
            self._edit(content["edits"], position)
        elif topic == "IncidentAttributeSet":
            self._set(content["name"], content["value"], position)
        elif topic == "IncidentAttributeRemoved":
            self._set(content["name"], None, position)
        elif topic in ("IncidentDeleted", "IncidentRestored"):
            self._deleted = int(topic == "IncidentDeleted")
        else:
            raise LookupError(f"{topic} is no event of an incident that is there")
        self._touch(position, version, at, content)
        return ended

    def erase(self, position: int, version: int, at: int, content: Content, past: Sequence[Row]) -> list[Row]:
        """Take an event that erases; returns what is left of the past, with the version that it ends."""
        fields = content["fields"]
        if self.gone or fields == ALL:
            self.gone = True
            return []
        past = [*past, (*self._newest(), position)]
        erase(self._document, fields)
        self._searched.read(self._document)
        self._values = {name: value for name, value in self._values.items() if not covers(fields, ATTRIBUTES + name)}
        self._ended = [row for row in self._ended if not covers(fields, ATTRIBUTES + row[2])]
        self._touch(position, version, at, content)
        return [(*without(Version(*row[:-1]), fields, orjson), row[-1]) for row in past]

    def _newest(self) -> Row:
        document, (tenant_id, id) = self._document, self.place
        written = orjson.dumps(document)
        self.weight = WEIGHT + len(written) + WEIGHT_OF_VALUE * len(self._ended)
        return (
            tenant_id, id, self._deleted, self.version, name_key(document["name"]), document["status"],
            document["type"], document["severity"], name_key(document["reported_by"]), document["next_update"],
            self._date, 1 if document["backdated"] else 0, self._created, self._at, self._since, self._searched.text,
            written,
        )  # fmt: skip

    def _touch(self, position: int, version: int, at: int, content: Content) -> None:
        document = self._document
        document["updated_at"] = utc_text_of(at)
        document["updated_by"] = content["user_name"]
        document["occ_lock"] = self.version = version
        self._since, self._at = position, at

    def _edit(self, edits: Mapping[str, Any], position: int) -> None:
        document = self._document
        for member, change in edits.items():
            value = change["to"]
            if member.startswith(ATTRIBUTES):
                self._set(member.removeprefix(ATTRIBUTES), value, position)
                continue
            document[member] = value
            if member == "name":
                self._searched.name(value)
            elif member in ("description", "location"):
                self._searched.read(document)
            elif member == "date":
                self._date = instant(value)

    def _set(self, name: str, value: Any, position: int) -> None:
        """To None: away with it."""
        attributes = self._document["attributes"] or {}
        attributes.pop(name, None)
        before = self._values.pop(name, None)
        if before is not None:
            self._ended.append((*self.place, name, *before, position))
        if value is not None:
            attributes[name] = value
            self._values[name] = value_key(value), moment_of(value), position
        self._document["attributes"] = attributes or None
