"""What is listed, as tables: which columns they have, and which rows each document becomes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from domain.attribute_values import ATTRIBUTES
from domain.event import Json
from domain.rules import DETAILS
from projections.documents import Document, newly_added, newly_reported

Row = Sequence[Json]


class Table(NamedTuple):
    """`rows` makes of a document, as JSON lists have it, at least one row with a value for each of the `columns`."""

    name: str
    columns: Sequence[str]
    rows: Callable[[Document], Iterable[Row]]


def plain(name: str, *columns: str) -> Table:
    """Documents with these members, a row each."""
    return Table(name, columns, lambda document: [[document[column] for column in columns]])


def incidents(attributes: Iterable[str]) -> Table:
    """A column for each member, and one for each of these attributes.

    `attributes` holds what has no column of its own, as an object: of an attribute that the deployment does not set any
    more, or that was defined while the list was under way. So no value is missing.
    """
    names = tuple(attributes)

    def rows(document: Document) -> Iterable[Row]:
        others = dict(document["attributes"] or {})
        own = [others.pop(name, None) for name in names]
        yield [*(document[member] for member in _OF_INCIDENT), others or None, *own]

    return Table("incidents", (*_OF_INCIDENT, _ATTRIBUTES, *(ATTRIBUTES + name for name in names)), rows)


def _changes(document: Document) -> Iterable[Row]:
    first, last = ([document.get(member) for member in members] for members in (_OF_CHANGE, _OF_SOME_CHANGES))
    for field, change in (document.get("changes") or {"": {}}).items():
        yield [*first, field, change.get("from"), change.get("to"), *last]


_ATTRIBUTES: Final = ATTRIBUTES.removesuffix(".")
_OF_INCIDENT: Final = tuple(
    member for member in newly_reported("", dict.fromkeys(DETAILS), {}, "", "", "") if member != _ATTRIBUTES
)
_OF_CHANGE: Final = ("position", "occ_lock", "at", "by", "user_id", "what", "comment_id")
_OF_SOME_CHANGES: Final = ("to_version", "erased", "fields", "reason", "unreadable")

HISTORY: Final = Table("history", (*_OF_CHANGE, "field", "from", "to", *_OF_SOME_CHANGES), _changes)
"""A row for each field that a change changed; one without a field for a change of none, such as a deletion."""
COMMENTS: Final = plain("comments", *newly_added("", "", "", "", "", "", ""))
COUNTS: Final = plain("counts", "table", "code", "count")
CODES: Final = plain("codes", "table", "code")
DEFINITIONS: Final = plain("attributes", "name", "type")
