"""An incident's past as the log has it, whatever became of the incident since."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from domain.attribute_values import ATTRIBUTES
from domain.erasure import ALL
from domain.event import Json, Recorded
from domain.incident import Incident
from domain.moments import utc_text
from projections.changes import differences
from projections.documents import Document, incident_document
from service.audit.errors import Unknown
from service.audit.reading import parts
from service.store.history import change_of, fold_of, told_of
from service.store.log import Log, Row, excerpt_of


class IncidentPast:
    """Every method raises Unknown where the log has not what was asked for, Unavailable; all but the history
    UnreadableEvent, naming the position: no version after a damaged event can be known."""

    def __init__(self, log: Log, id: UUID) -> None:
        self._log, self._id = log, id

    async def history(self) -> AsyncIterator[list[Document]]:
        """Every change of it and of its comments, as the API tells them, the oldest first, by parts."""
        found = False
        head = await self._log.head()
        async for rows in parts(lambda after, limit: self._log.of_subject(self._id, after, limit), 1, head):
            found = True
            yield [change_of(excerpt_of(row)) for row in rows]
        if not found:
            raise self._unknown("is not in this log")

    async def at_version(self, version: int | None = None) -> Document:
        """The incident in this version, or in its newest one."""
        rows = await self._versions(upto=version)
        newest = rows[-1].originator_version
        if version is not None and version != newest:
            raise self._unknown(f"has no version {version}, its newest is {newest}")
        return await _state(rows)

    async def as_of(self, at: datetime) -> Document:
        """The incident as what was recorded by then made it."""
        rows = await self._versions()
        by_then = [row for row in rows if row.recorded_at <= at]
        if not by_then:
            raise self._unknown(f"was not reported before {utc_text(rows[0].recorded_at)}")
        return await _state(by_then)

    async def difference(self, before: int, after: int) -> dict[str, Json]:
        """Each member that differs between two versions, as `{"from": old, "to": new}`."""
        old, new = await self.at_version(before), await self.at_version(after)
        for state in (old, new):
            if state.get("erased") == ALL:
                raise self._unknown(f"has no content in version {state['occ_lock']}: it was erased")
        changes = differences(old, new)
        if old["deleted"] != new["deleted"]:
            changes["deleted"] = {"from": old["deleted"], "to": new["deleted"]}
        return changes

    async def _versions(self, upto: int | None = None) -> Sequence[Row]:
        rows = await self._log.stream(self._id, upto=upto)
        if not rows or not rows[0].topic.startswith(Incident.TOPIC):
            raise self._unknown("is not in this log")
        return rows

    def _unknown(self, problem: str) -> Unknown:
        return Unknown(f"incident {self._id} {problem}")


async def _state(rows: Sequence[Row]) -> Document:
    """As the API shows it, and whether it was deleted. `erased`: the members whose content was erased, or `all`."""
    facts = [told_of(row) for row in rows]
    events = [fact for fact in facts if isinstance(fact, Recorded)]
    if len(events) < len(facts):
        last = rows[-1]
        left = {"id": str(last.originator_id), "updated_at": utc_text(last.recorded_at), "tenant_id": last.tenant_id}
        return {**left, "occ_lock": last.originator_version, "erased": ALL}
    incident = await fold_of(events)
    state = {**incident_document(incident), "deleted": incident.deleted}
    flat = {**state, **{ATTRIBUTES + name: value for name, value in incident.attributes.items()}}
    erased = {member for fact in events for member in fact.event.erased if flat.get(member) is None}
    return {**state, "erased": sorted(erased)} if erased else state
