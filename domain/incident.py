"""An incident: reported once, edited any number of times, deleted and restored, erased. One command, one event."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.attribute_types import Definitions
from domain.attribute_values import ATTRIBUTES, coerced
from domain.codes import Codes
from domain.edits import complete, edits_between, merged, touched
from domain.erasure import ALL, Erasing, Fields, changes_by, covers, erasing
from domain.errors import Absent, Fault, Invalid, NotDeleted, Taken
from domain.event import Act, ActEvent, Json, Kept, Match
from domain.rules import DEFAULTS, DETAILS, faults_of_details, normalize, same


class Incident(Kept):
    TOPIC = "Incident"

    def __init__(self, details: dict[str, Json], attributes: dict[str, Json], tenant_id: str, user_name: str) -> None:
        super().__init__(tenant_id, user_name)
        # The event is shared with whoever follows it: an aggregate that is edited must not edit the event.
        self.details = dict(details)
        self.attributes = dict(attributes)
        self.created_by = user_name
        self.deleted = False
        self.erased = False
        """All of it is gone, for good; `deleted` is true then as well."""
        self.changed_in: dict[str, int] = {}
        """The version in which each member was last changed, attributes as `attributes.<name>`."""

    class Event(Kept.Event, ActEvent):
        TOPIC = "IncidentEvent"

        def apply(self, incident: "Incident") -> None:
            incident.updated_by = self.user_name

    class IncidentReported(Event, Aggregate.Created):
        TOPIC = "IncidentReported"
        details: dict[str, Any]
        attributes: dict[str, Any]

        def mutate(self, _: Any) -> Any:
            incident = Incident.unborn(self)
            Incident.__init__(incident, self.details, self.attributes, self.tenant_id, self.user_name)
            return incident

    class IncidentEdited(Event):
        TOPIC = "IncidentEdited"
        edits: dict[str, Any]

        def changes(self) -> dict[str, Json]:
            return self.edits

        def apply(self, incident: "Incident") -> None:
            super().apply(incident)
            for member, change in self.edits.items():
                incident.assign(member, change["to"], self.originator_version)

    class IncidentReverted(IncidentEdited):
        """The same as an edit; `to_version` says whose content it brought back."""

        TOPIC = "IncidentReverted"
        to_version: int

    class IncidentAttributeSet(Event):
        TOPIC = "IncidentAttributeSet"
        name: str
        old_value: Any
        value: Any

        def changes(self) -> dict[str, Json]:
            return {ATTRIBUTES + self.name: {"from": self.old_value, "to": self.value}}

        def apply(self, incident: "Incident") -> None:
            super().apply(incident)
            incident.assign(ATTRIBUTES + self.name, self.value, self.originator_version)

    class IncidentAttributeRemoved(Event):
        TOPIC = "IncidentAttributeRemoved"
        name: str
        old_value: Any

        def changes(self) -> dict[str, Json]:
            return {ATTRIBUTES + self.name: {"from": self.old_value, "to": None}}

        def apply(self, incident: "Incident") -> None:
            super().apply(incident)
            incident.assign(ATTRIBUTES + self.name, None, self.originator_version)

    class IncidentDeleted(Event):
        TOPIC = "IncidentDeleted"

        def apply(self, incident: "Incident") -> None:
            super().apply(incident)
            incident.deleted = True

    class IncidentRestored(Event):
        TOPIC = "IncidentRestored"

        def apply(self, incident: "Incident") -> None:
            super().apply(incident)
            incident.deleted = False

    class IncidentErased(Event, Erasing):
        TOPIC = "IncidentErased"

        def changes(self) -> dict[str, Json]:
            return changes_by(self.fields)

        def nothing(self) -> "Incident":
            incident = Incident.unborn(self)
            Incident.__init__(incident, {}, {}, self.tenant_id, "")
            return incident

        def apply(self, incident: "Incident") -> None:
            super().apply(incident)
            if self.fields == ALL or not incident.details:
                incident.details, incident.attributes, incident.changed_in, incident.created_by = {}, {}, {}, ""
                incident.deleted = incident.erased = True
                return
            for member in [*incident.details, *(ATTRIBUTES + name for name in incident.attributes)]:
                if covers(self.fields, member):
                    incident.assign(member, None, self.originator_version)

    @classmethod
    def report(
        cls,
        act: Act,
        id: UUID,
        details: Mapping[str, Json],
        attributes: Mapping[str, Json],
        codes: Codes,
        definitions: Definitions,
    ) -> "Incident":
        """Optional members may be left out, or null. Raises Invalid with every fault."""
        whole = complete(details)
        faults = faults_of_details(whole, {}, codes)
        values = coerced(attributes, {}, definitions, faults)
        if faults:
            raise Invalid(faults)
        return cls.begin(cls.IncidentReported, id, act, details=whole, attributes=values)

    def edit(
        self,
        act: Act,
        details: Mapping[str, Json],
        attributes: Mapping[str, Json] | None,
        occ_lock: int | None,
        codes: Codes,
        definitions: Definitions,
        match: Match = None,
    ) -> None:
        """Replace everything; attributes only where they are given. Always one event.

        Raises Absent, Unmatched, Stale, Invalid.
        """
        self._be_there()
        self.expect(occ_lock, match)
        whole = complete(details)
        faults = faults_of_details(whole, self.details, codes)
        wanted = self.attributes if attributes is None else coerced(attributes, self.attributes, definitions, faults)
        if faults:
            raise Invalid(faults)
        self.trigger_event(self.IncidentEdited, edits=self._edits(whole, wanted), **act.facts())

    def patch(
        self,
        act: Act,
        patch: Mapping[str, Json],
        occ_lock: int | None,
        codes: Codes,
        definitions: Definitions,
        match: Match = None,
        *,
        rebase: bool = True,
    ) -> None:
        """A merge patch (RFC 7396). A stale lock is no obstacle where nothing that the patch touches was changed since,
        if `rebase` allows it.

        No event where nothing changes. Raises Absent, Unmatched, Stale, Invalid.
        """
        self._be_there()
        rebased = rebase and occ_lock is not None and self._rebases(patch, occ_lock)
        self.expect(None if rebased else occ_lock, match)
        details = normalize(
            {
                member: DEFAULTS.get(member) if value is None else value
                for member, value in patch.items()
                if member in DETAILS
            }
        )
        faults = faults_of_details(details, self.details, codes)
        wanted = merged(self.attributes, patch.get("attributes", {}), definitions, faults)
        if faults:
            raise Invalid(faults)
        edits = self._edits(details, wanted)
        if edits:
            self.trigger_event(self.IncidentEdited, edits=edits, **act.facts())

    def revert(self, act: Act, to_version: int, past: "Incident", occ_lock: int | None, match: Match = None) -> None:
        """Bring back the content of an earlier version; `past` is the incident as it was then.

        What was valid once is not judged again. No event where nothing changes. Raises Absent, Unmatched, Stale;
        Invalid where there is no such version, `past` being the newest one then.
        """
        self._be_there()
        self.expect(occ_lock, match)
        if past.version != to_version:
            raise Invalid([Fault("VERSION_UNKNOWN", f"must be from 0 to {past.version}", "version")])
        edits = self._edits(past.details, past.attributes)
        if edits:
            self.trigger_event(self.IncidentReverted, edits=edits, to_version=to_version, **act.facts())

    def set_attribute(
        self,
        act: Act,
        name: str,
        value: Json,
        occ_lock: int | None,
        definitions: Definitions,
        match: Match = None,
        *,
        new: bool = False,
    ) -> None:
        """No event where the value is the same already.

        Raises Absent, Unmatched, Stale, Invalid; Taken where `new` and it is set.
        """
        self._be_there()
        self.expect(occ_lock, match)
        faults: list[Fault] = []
        values = coerced({name: value}, self.attributes, definitions, faults, field="value")
        if faults:
            raise Invalid(faults)
        if new and name in self.attributes:
            raise Taken("name", "a value is set already; PUT replaces it")
        old = self.attributes.get(name)
        if not same(old, values[name]):
            self.trigger_event(self.IncidentAttributeSet, name=name, old_value=old, value=values[name], **act.facts())

    def remove_attribute(self, act: Act, name: str, occ_lock: int | None, match: Match = None) -> None:
        """Raises Absent where no value is set, Unmatched, Stale."""
        self._be_there()
        if name not in self.attributes:
            raise Absent
        self.expect(occ_lock, match)
        self.trigger_event(self.IncidentAttributeRemoved, name=name, old_value=self.attributes[name], **act.facts())

    def delete(self, act: Act, occ_lock: int | None, match: Match = None) -> None:
        """Gone for every read, never from the log. Raises Absent, Unmatched, Stale."""
        self._be_there()
        self.expect(occ_lock, match)
        self.trigger_event(self.IncidentDeleted, **act.facts())

    def restore(self, act: Act, occ_lock: int | None, match: Match = None) -> None:
        """Raises Absent, NotDeleted, Unmatched, Stale."""
        if self.erased:
            raise Absent
        if not self.deleted:
            raise NotDeleted("this incident is not deleted")
        self.expect(occ_lock, match)
        self.trigger_event(self.IncidentRestored, **act.facts())

    def erase(
        self, act: Act, fields: Fields, reason: str, redacted: dict[str, str], occ_lock: int | None, match: Match = None
    ) -> None:
        """Whether it is deleted or not. `redacted` is what becomes of its earlier events, as `Erasing` has it.

        Raises Absent, Unmatched, Stale, Invalid.
        """
        content = erasing(self, act, fields, reason, redacted, occ_lock, match, gone=self.erased)
        self.trigger_event(self.IncidentErased, **content)

    def _be_there(self) -> None:
        if self.deleted:
            raise Absent

    def _rebases(self, patch: Mapping[str, Json], occ_lock: int) -> bool:
        changed_in = self.changed_in
        return occ_lock <= self.version and all(changed_in.get(m, 0) <= occ_lock for m in touched(patch, changed_in))

    def _edits(self, details: Mapping[str, Json], attributes: Mapping[str, Json]) -> dict[str, Json]:
        return edits_between(self.details, self.attributes, details, attributes)

    def assign(self, member: str, value: Json, version: int) -> None:
        """What an event of that version made of a member, or of `attributes.<name>`: null takes it away."""
        self.changed_in[member] = version
        if not member.startswith(ATTRIBUTES):
            self.details[member] = value
        elif value is None:
            self.attributes.pop(member.removeprefix(ATTRIBUTES), None)
        else:
            self.attributes[member.removeprefix(ATTRIBUTES)] = value
