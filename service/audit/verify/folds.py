"""Aggregates folded from the log, of each kind: which events begin one, and what they make of it in all."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from service.audit.orders import ORDERS
from service.audit.verify.incident_fold import IncidentFold
from service.audit.verify.other_folds import CommentFold, SchemaFold
from service.audit.verify.told import Content, Row

Fold = IncidentFold | CommentFold | SchemaFold

BIRTHS: Final[dict[str, type[Fold]]] = {
    "IncidentReported": IncidentFold,
    "CommentAdded": CommentFold,
    "AttributeDefined": SchemaFold,
    "AttributeRetired": SchemaFold,
}
"""By the topic of the first event."""
_ERASED: Final[dict[str, Callable[[str, str, Content], IncidentFold | CommentFold]]] = {
    ORDERS[0]: IncidentFold.erased,
    ORDERS[1]: CommentFold.erased,
}


class Told(NamedTuple):
    """An event of the log. `id` and `subject` are 32 hexadecimal digits, `at` is in microseconds since 1970."""

    id: str
    subject: str
    position: int
    version: int
    at: int
    topic: str
    content: Content


def folded(events: Sequence[Told]) -> tuple[Fold, list[Row]]:
    """What all events of an aggregate make of it, those that erase among them; and the versions that it had before.

    Raises one of UNSOUND where they do not follow each other.
    """
    fold: Fold | None = None
    past: list[Row] = []
    for id, subject, position, version, at, topic, content in events:
        if topic in ORDERS:
            if isinstance(fold, SchemaFold):
                raise LookupError("a schema cannot be erased")
            erased = fold or _ERASED[topic](id, subject, content)
            fold, past = erased, erased.erase(position, version, at, content, past)
        elif fold is None:
            fold = BIRTHS[topic](id, subject, position, at, topic, content)
        else:
            ended = fold.follow(position, version, at, topic, content)
            if ended is not None:
                past.append(ended)
    if fold is None:
        raise LookupError("no events")
    return fold, past
