"""What a reader who may not see the past of deleted incidents is told of them: that they went, and nothing else.

Their history is 404 to him, and so the feed leaves their events out, their comments' too. What tells him to forget what
he may have stays, without their content.
"""

from typing import Final

import orjson

from projections.cloud_events import Published

DELETED: Final = "ims.incident.deleted"
ORDERS: Final = frozenset({DELETED, "ims.incident.erased", "ims.comment.erased"})
"""What readers act on that have a copy."""


def withheld(event: Published) -> Published:
    """One of `ORDERS` without what the incident was; what says nothing of that stays as it is."""
    told = orjson.loads(event.event)
    data = told["data"]
    if data.get("state") is None:
        return event
    told["data"] = data | {"changes": {}, "state": None, "withheld": True}
    return event._replace(event=orjson.dumps(told))


def as_it_happens(event: Published) -> Published:
    """The newest event, after which the incident is what the event says."""
    if event.type not in ORDERS:
        return event
    state = orjson.loads(event.event)["data"].get("state")
    return withheld(event) if state is not None and state.get("deleted") else event
