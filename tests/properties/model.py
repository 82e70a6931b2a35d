"""What the API promises, as plainly as it can be said: dictionaries, and a status for every command."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

DEFAULT_TYPES = {"workflowId": "STRING", "count": "NUMBER"}

Refusal = int
"""The status that a command is refused with."""


@dataclass
class Comment:
    author: str
    text: str
    id: str = ""
    occ_lock: int = 0
    updated_by: str = ""
    removed: bool = False

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "user_id": self.author,
            "name": self.author.title(),
            "text": self.text,
            "updated_by": self.updated_by or self.author,
            "occ_lock": self.occ_lock,
        }


@dataclass
class Incident:
    tenant: str
    members: dict[str, Any]
    attributes: dict[str, Any]
    created_by: str
    updated_by: str
    id: str = ""
    occ_lock: int = 0
    deleted: bool = False
    changed_in: dict[str, int] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    """What was shown of each version, the id left out."""

    def __post_init__(self) -> None:
        self._keep()

    def _keep(self) -> None:
        self.versions.append(deepcopy(self.shown()) | {"id": ""})

    def shown(self) -> dict[str, Any]:
        return {
            **self.members,
            "id": self.id,
            "attributes": self.attributes or None,
            "created_by": self.created_by.title(),
            "updated_by": self.updated_by.title(),
            "tenant_id": self.tenant,
            "occ_lock": self.occ_lock,
        }

    def change(self, user: str, members: Mapping[str, Any], attributes: Mapping[str, Any] | None) -> None:
        """One event, whatever it changes."""
        self.occ_lock += 1
        self.updated_by = user
        for member, value in members.items():
            if self.members[member] != value:
                self.members[member] = value
                self.changed_in[member] = self.occ_lock
        if attributes is not None:
            for name in {*attributes, *self.attributes}:
                if attributes.get(name) != self.attributes.get(name):
                    self.changed_in[f"attributes.{name}"] = self.occ_lock
            self.attributes = dict(attributes)
        self._keep()

    def stale(self, lock: int | None) -> bool:
        return lock is not None and lock != self.occ_lock


class Tenant:
    """Every method returns what is shown afterwards, or the statuses with which it may be refused."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.incidents: list[Incident] = []
        self.types: dict[str, str] = {}
        self.retired: set[str] = set()

    @property
    def defined(self) -> dict[str, str]:
        known = {**DEFAULT_TYPES, **self.types}
        return {name: kind for name, kind in known.items() if name not in self.retired}

    def unknown(self, attributes: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
        return any(name not in self.defined and stored.get(name) != value for name, value in attributes.items())

    def report(self, user: str, members: dict[str, Any], attributes: dict[str, Any]) -> Incident | set[Refusal]:
        if self.unknown(attributes, {}):
            return {400}
        incident = Incident(self.name, deepcopy(members), dict(attributes), user, user)
        self.incidents.append(incident)
        return incident

    def edit(
        self, one: Incident, user: str, lock: int, members: dict[str, Any], attributes: dict[str, Any] | None
    ) -> set[Refusal]:
        if one.deleted:
            return {404}
        refusals = {409} if one.stale(lock) else set()
        if attributes is not None and self.unknown(attributes, one.attributes):
            refusals.add(400)
        if not refusals:
            one.change(user, members, attributes)
        return refusals

    def patch(self, one: Incident, user: str, lock: int | None, patch: dict[str, Any]) -> set[Refusal]:
        if one.deleted:
            return {404}
        given = patch.get("attributes") or {}
        touched = [member for member in patch if member != "attributes"] + [f"attributes.{name}" for name in given]
        refusals = set()
        if lock is not None and one.stale(lock):
            since = any(one.changed_in.get(member, 0) > lock for member in touched)
            if lock > one.occ_lock or since:
                refusals.add(409)
        set_ = {name: value for name, value in given.items() if value is not None}
        if self.unknown(set_, one.attributes):
            refusals.add(400)
        if refusals:
            return refusals
        merged = {name: value for name, value in one.attributes.items() if name not in given} | set_
        members = {member: value for member, value in patch.items() if member != "attributes"}
        if merged != one.attributes or any(one.members[member] != value for member, value in members.items()):
            one.change(user, members, merged)
        return set()

    def revert(self, one: Incident, user: str, lock: int, version: int) -> set[Refusal]:
        if one.deleted:
            return {404}
        refusals = {409} if one.stale(lock) else set()
        if version > one.occ_lock:
            refusals.add(400)
        if not refusals:
            past = one.versions[version]
            members, attributes = {member: past[member] for member in one.members}, past["attributes"] or {}
            if (members, attributes) != (one.members, one.attributes):
                one.change(user, members, attributes)
        return refusals

    def set_attribute(
        self, one: Incident, user: str, lock: int | None, name: str, value: Any, *, new: bool = False
    ) -> set[Refusal]:
        if one.deleted:
            return {404}
        refusals = {409} if one.stale(lock) else set()
        if self.unknown({name: value}, one.attributes):
            refusals.add(400)
        if new and name in one.attributes:
            refusals.add(409)
        if not refusals and one.attributes.get(name) != value:
            one.change(user, {}, {**one.attributes, name: value})
        return refusals

    def remove_attribute(self, one: Incident, user: str, lock: int | None, name: str) -> set[Refusal]:
        if one.deleted or name not in one.attributes:
            return {404}
        if one.stale(lock):
            return {409}
        one.change(user, {}, {other: value for other, value in one.attributes.items() if other != name})
        return set()

    def delete(self, one: Incident, user: str, lock: int | None, *, back: bool = False) -> set[Refusal]:
        """With `back`: restore."""
        if one.deleted != back:
            return {409} if back else {404}
        if one.stale(lock):
            return {409}
        one.change(user, {}, None)
        one.deleted = not back
        return set()

    def comment(self, one: Incident, user: str, text: str) -> Comment | set[Refusal]:
        if one.deleted:
            return {404}
        comment = Comment(user, text)
        one.comments.append(comment)
        return comment

    def recomment(
        self, one: Incident, comment: Comment, user: str, lock: int, text: str | None, *, moderator: bool
    ) -> set[Refusal]:
        """Edit a comment; without a text: remove it."""
        if one.deleted or comment.removed:
            return {404}
        if user != comment.author and not moderator:
            return {403}
        if lock != comment.occ_lock:
            return {409}
        comment.occ_lock += 1
        comment.updated_by = user
        if text is None:
            comment.removed = True
        else:
            comment.text = text
        return set()

    def define(self, name: str, kind: str, *, deployer: bool) -> set[Refusal]:
        if not deployer:
            return {403}
        if name in self.defined or (name in self.retired and {**DEFAULT_TYPES, **self.types}[name] != kind):
            return {409}
        self.types[name] = kind
        self.retired.discard(name)
        return set()

    def retire(self, name: str, *, deployer: bool) -> set[Refusal]:
        if not deployer:
            return {403}
        if name not in self.defined:
            return {404}
        self.types[name] = self.defined[name]
        self.retired.add(name)
        return set()
