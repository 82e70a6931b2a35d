"""The incident as the servers beside the service take and give it: pydantic models with the contract's limits."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]


class IncidentBody(BaseModel):
    """What POST and PUT take."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    status: Literal["NEW", "OPEN", "INVESTIGATING", "RESOLVED", "CLOSED"]
    type: Literal["OTHERS", "SYSTEM_FAILURE", "SECURITY", "PERFORMANCE", "MAINTENANCE"]
    date: AwareDatetime
    description: Annotated[str, Field(min_length=1, max_length=20_000)]
    reported_by: Name
    location: Annotated[str, Field(max_length=500)] = ""
    severity: Literal["", "LOW", "MEDIUM", "MAJOR", "HIGH", "CRITICAL"] = ""
    next_update: Annotated[int, Field(ge=0, le=253_402_300_799)] = 0
    resolved_date: AwareDatetime | None = None
    backdated: bool = False
    attributes: dict[str, str | int | float | bool] | None = None


class IncidentEdit(IncidentBody):
    """A PUT's body: its lock, or none where the request says `If-Match: *`."""

    occ_lock: Annotated[int, Field(ge=0)] | None = None


class Incident(IncidentBody):
    """What every call answers with."""

    id: UUID
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    tenant_id: str
    occ_lock: int
