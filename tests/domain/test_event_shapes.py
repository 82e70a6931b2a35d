"""An event is a storage format: its name and the names of its fields stand in a file, and only ever grow.

A test that is red here means that events which are recorded already would no longer be read. Add a field, with an
upcast and a new `class_version`; then write the new shape into `event_shapes.json` by hand.
"""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from domain.attribute_schema import AttributeSchema
from domain.comment import Comment
from domain.event import ActEvent, Kept
from domain.incident import Incident
from tests.domain.examples import ONE_OF_EACH

SHAPES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("event_shapes.json").read_text())
EVENTS = {
    "IncidentReported", "IncidentEdited", "IncidentReverted", "IncidentAttributeSet", "IncidentAttributeRemoved",
    "IncidentDeleted", "IncidentRestored", "IncidentErased", "CommentAdded", "CommentEdited", "CommentRemoved",
    "CommentErased", "AttributeDefined", "AttributeRetired",
}  # fmt: skip


def classes(of: type) -> Iterator[type[Any]]:
    kind: type[Any]
    for kind in of.__subclasses__():
        yield kind
        yield from classes(kind)


def recordable() -> list[type[ActEvent]]:
    """Every class of event in the domain but the bases, which cannot be triggered."""
    found = {kind for kind in classes(ActEvent) if kind.__module__.startswith("domain.")}
    return sorted(
        (kind for kind in found if kind.__name__ not in {"Event", "Created", "Erasing"}), key=lambda kind: kind.__name__
    )


def test_these_are_the_events() -> None:
    assert {kind.__name__ for kind in recordable()} == EVENTS == set(SHAPES)
    assert {type(event) for event in ONE_OF_EACH} == set(recordable())


@pytest.mark.parametrize("kind", recordable(), ids=lambda kind: kind.__name__)
def test_an_event_has_a_name_of_its_own_and_the_fields_that_were_recorded(kind: type[ActEvent]) -> None:
    assert vars(kind).get("TOPIC") == kind.__name__
    assert {
        "class_version": getattr(kind, "class_version", 1),
        "fields": sorted(field.name for field in fields(kind)),
    } == SHAPES[kind.TOPIC]


def test_every_event_says_who_when_which_command_and_which_request() -> None:
    said = {"tenant_id", "user_id", "user_name", "command_id", "trace_id", "request_digest", "timestamp"}
    assert all(said <= {*shape["fields"]} for shape in SHAPES.values())


def test_aggregates_have_names_too_and_no_two_are_the_same() -> None:
    named = [Incident, Comment, AttributeSchema, *recordable()]
    topics = [vars(kind)["TOPIC"] for kind in named]
    assert topics[:3] == ["Incident", "Comment", "AttributeSchema"]
    assert len(set(topics)) == len(named)
    assert {kind for kind in classes(Kept) if kind.__module__.startswith("domain.")} == set(named[:3])


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (0, {}),
        (1, {"name": ("Another Security Breach", "Breach"), "attributes.count": (5, None)}),
        (2, {"attributes.workflowId": (None, "w-1")}),
        (3, {"attributes.workflowId": ("w-1", None)}),
        (4, {}),
        (5, {}),
        (6, {"description": (None, None)}),
        (7, {"text": (None, "Looking into it.")}),
        (8, {"text": ("Looking into it.", "Found it.")}),
        (9, {"text": ("Found it.", None)}),
        (10, {}),
        (11, {"people": (None, "INT")}),
        (12, {"people": ("INT", None)}),
        (13, {"name": ("Breach", "Another Security Breach"), "attributes.count": (None, 5)}),
    ],
)
def test_an_event_explains_itself_without_a_replay(event: int, changes: dict[str, tuple[Any, Any]]) -> None:
    assert ONE_OF_EACH[event].changes() == {name: {"from": old, "to": new} for name, (old, new) in changes.items()}
