"""Events that erase, as evidence: what each says became of earlier events of its aggregate."""

from typing import Final

import orjson

from domain.comment import Comment
from domain.incident import Incident
from service.store.log import Row

ORDERS: Final = (Incident.IncidentErased.TOPIC, Comment.CommentErased.TOPIC)
"""Their topics."""
OF_COMMENTS: Final = frozenset(event.TOPIC for event in vars(Comment).values() if hasattr(event, "TOPIC"))
"""Topics of the events that are about an incident which is not the aggregate itself."""


def ordered_by(row: Row) -> dict[int, str]:
    """By position, the digest of what is left there, empty where nothing is. Empty for any other event.

    Of a row whose content has its digest: what somebody altered is no order.
    """
    if row.topic not in ORDERS or row.state is None:
        return {}
    try:
        return {int(position): str(left) for position, left in orjson.loads(row.state)["redacted"].items()}
    except (LookupError, TypeError, ValueError, AttributeError):
        return {}  # it says nothing that can be read, which is a fault of its own
