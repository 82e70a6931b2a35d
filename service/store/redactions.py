"""What may be rewritten by an event that erases: only what it orders, and only by taking it away. PostgreSQL holds the
same rule in its own function (`schema/postgres/008_erase_only_takes_away.sql`), whoever calls that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from domain.comment import Comment
from domain.erasure import ALL, Erasing
from domain.redaction import without
from service.store.log import Entry, Redaction
from service.store.mapper import SALT_BYTES, UnreadableEvent, event_of, state_of


class NotAnErasure(Exception):
    """Rows were to be rewritten otherwise than by taking away what the event that erases orders; nothing was done."""


ORDERS: Final = frozenset(kind.TOPIC for kind in Erasing.__subclasses__())
_NOTHING: Final = ("", None, "")

Standing = Mapping[int, tuple[str, bytes | None, str]]
"""Topic, state and tenant of the earlier events of the aggregate, by their positions."""


def check(entry: Entry, redactions: Sequence[Redaction], standing: Callable[[], Standing]) -> None:
    """Raises NotAnErasure."""
    for problem in _problems(entry, redactions, standing()):
        raise NotAnErasure(problem)


def _problems(entry: Entry, redactions: Sequence[Redaction], standing: Standing) -> Iterator[str]:
    order: Any = None
    if entry.topic in ORDERS and sha256(entry.salt + entry.state).digest() == entry.digest:
        order = event_of(0, entry.originator_id, entry.originator_version, entry.topic, entry.state)
    if order is None or order.redacted.keys() != {str(redaction.position) for redaction in redactions}:
        yield "no event that erases, or it tells of other events than are rewritten"
        return
    for redaction in redactions:
        topic, state, tenant_id = standing.get(redaction.position, _NOTHING)
        problem = (
            "there is nothing of this aggregate to take away" if state is None
            else "it erased something itself" if topic in ORDERS
            else "it is of another tenant" if tenant_id != entry.tenant_id
            else _left(entry.originator_id, order, redaction, topic, state)
        )  # fmt: skip
        if problem:
            yield f"position {redaction.position} is not rewritten: {problem}"


def _left(id: UUID, order: Any, redaction: Redaction, topic: str, state: bytes) -> str:
    position, left, salt = redaction
    told = order.redacted[str(position)]
    if left is None and salt is None:
        if order.fields != ALL and order.TOPIC != Comment.CommentErased.TOPIC:
            return "only some members were to go"
        return "the event that erases tells of something else" if told else ""
    if order.fields == ALL:
        return "all was to go"
    if left is None or salt is None or len(salt) != SALT_BYTES or sha256(salt + left).hexdigest() != told:
        return "the event that erases tells of something else"
    try:
        expected = state_of(without(event_of(position, id, 0, topic, state), order.fields))
    except UnreadableEvent as error:
        return str(error)
    return "" if left == expected else "what is to be left is not what was there without the members that were to go"
