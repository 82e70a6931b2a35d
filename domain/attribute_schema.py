"""The attributes that a tenant's deployers have defined. The deployment's defaults lie under them, not as events."""

from typing import Any
from uuid import UUID, uuid5

from domain.attribute_types import MAX_DEFINITIONS, MAX_NAMES, AttributeType, Definitions, fault_of_name, fault_of_type
from domain.errors import Absent, Invalid, LimitReached, Taken
from domain.event import Act, ActEvent, Json, Kept

_NAMESPACE = UUID("5b4f1c0e-6d0b-4f7e-9c53-0d6c1f2a7e11")


def schema_id(tenant_id: str) -> UUID:
    """A tenant has one schema; its id follows from the tenant."""
    return uuid5(_NAMESPACE, tenant_id)


class AttributeSchema(Kept):
    TOPIC = "AttributeSchema"

    def __init__(self) -> None:
        super().__init__("", "")
        self.types: dict[str, AttributeType] = {}
        self.retired: set[str] = set()
        self.active: dict[str, AttributeType] = {}
        """Those of the types that are not retired: few, however many names there ever were."""

    class Event(Kept.Event, ActEvent):
        TOPIC = "AttributeEvent"
        name: str
        type: str

        def mutate(self, aggregate: Any) -> Any:
            # Whichever event is the first one makes the aggregate; there is no separate birth.
            return super().mutate(
                AttributeSchema.empty(self.originator_id, self.timestamp) if aggregate is None else aggregate
            )

    class AttributeDefined(Event):
        TOPIC = "AttributeDefined"

        def apply(self, schema: "AttributeSchema") -> None:
            schema.tenant_id = self.tenant_id
            schema.types[self.name] = AttributeType(self.type)
            schema.active[self.name] = schema.types[self.name]
            schema.retired.discard(self.name)

        def changes(self) -> dict[str, Json]:
            return {self.name: {"from": None, "to": self.type}}

    class AttributeRetired(Event):
        TOPIC = "AttributeRetired"

        def apply(self, schema: "AttributeSchema") -> None:
            schema.tenant_id = self.tenant_id
            schema.types[self.name] = AttributeType(self.type)
            schema.active.pop(self.name, None)
            schema.retired.add(self.name)

        def changes(self) -> dict[str, Json]:
            return {self.name: {"from": self.type, "to": None}}

    @classmethod
    def empty(cls, id: UUID, at: Any) -> "AttributeSchema":
        """A tenant's schema before its first event: version -1."""
        schema = cls.__new__(cls)
        schema.__base_init__(id, -1, at)
        schema.__init__()  # type: ignore[misc]
        return schema

    def definitions(self, defaults: Definitions) -> Definitions:
        """What may be set: the tenant's own over the deployment's defaults, without the retired."""
        if not self.types and not self.retired:  # as with most tenants
            return defaults
        return {**{name: kind for name, kind in defaults.items() if name not in self.retired}, **self.active}

    def define(self, act: Act, name: str, kind: str, defaults: Definitions) -> None:
        """Raises Invalid, Taken where the name is in use, LimitReached."""
        checked = {"name": fault_of_name(name), "type": fault_of_type(kind)}
        faults = [fault.at(member) for member, fault in checked.items() if fault is not None]
        if faults:
            raise Invalid(faults)
        active = self.definitions(defaults)
        if name in active:
            raise Taken("name", f"an attribute of this name exists, a {active[name]}")
        if name in self.retired and self.types[name] != kind:
            was = self.types[name]
            raise Taken("type", f"this name was retired as a {was} and can only come back as one")
        if len(active) >= MAX_DEFINITIONS:
            raise LimitReached(f"a tenant may have {MAX_DEFINITIONS} attributes")
        if name not in self.types and len(self.types) >= MAX_NAMES:
            raise LimitReached(
                f"a tenant may name {MAX_NAMES} attributes in all, retired ones too: define one of these again"
            )
        self.trigger_event(self.AttributeDefined, name=name, type=kind, **act.facts())

    def retire(self, act: Act, name: str, defaults: Definitions) -> None:
        """Raises Absent where no such attribute is in use."""
        active = self.definitions(defaults)
        if name not in active:
            raise Absent
        self.trigger_event(self.AttributeRetired, name=name, type=str(active[name]), **act.facts())
