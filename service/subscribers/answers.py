"""What Redis answers to several commands at once: results, and a refusal in the place of each that failed."""

from collections.abc import Iterable
from typing import Any

from redis.exceptions import NoPermissionError

from projections.database import Unavailable
from service.subscribers.entries import NotAllowed


def checked(answers: Iterable[Any]) -> list[Any]:
    """Answers none of which is a refusal. Raises NotAllowed, Unavailable."""
    found = list(answers)
    for answer in found:
        if isinstance(answer, NoPermissionError):
            raise NotAllowed(f"Redis: {answer}")
        if isinstance(answer, Exception):
            raise Unavailable(f"Redis: {answer}") from answer
    return found
