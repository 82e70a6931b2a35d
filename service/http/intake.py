"""What a write brings, checked before anything is looked up: every fault of query, headers and body is told at once."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from domain.errors import Fault, Invalid
from domain.event import Act, Json
from service.http.bodies import misdirected
from service.http.call import Call
from service.http.faults import MAX_FAULTS
from service.http.models import Lenient, faults_of
from service.http.preconditions import Lock, lock_of
from service.http.queries import Parameters
from service.http.statuses import BadRequest

Further = Callable[[Mapping[str, Json]], Awaitable[list[Fault]]]


class Intake(NamedTuple):
    """`sent` is the body as it came, `body` its members with defaults filled in."""

    sent: dict[str, Json]
    body: dict[str, Any]
    lock: Lock
    act: Act
    query: Parameters


async def take(
    call: Call,
    model: type[BaseModel],
    *,
    once: Collection[str] = (),
    locked: bool = False,
    own: bool = False,
    further: Further | None = None,
) -> Intake:
    """`once`: query parameters. `locked`: a lock is required. `own`: the body of another path is told so.

    `further` finds what only the deployment's tables can tell; it is asked where there is a fault already, for
    otherwise the domain asks. Raises BadRequest, Invalid.
    """
    sent = await call.body(nullable=issubclass(model, Lenient))
    if own and (problem := misdirected(sent, call.incident())) is not None:
        raise problem
    query = Parameters(call.request, once)
    faults, body = query.faults, {}
    judged, more = _some(sent, model)
    try:
        body = model.model_validate(judged).__dict__
    except ValidationError as error:
        faults += faults_of(error)
    lock = act = None
    try:
        lock = lock_of(call.request, body, query.one("occ_lock") if "occ_lock" in once else None)
    except BadRequest as error:
        faults.append(error.fault)
    try:
        act = call.act(sent)
    except BadRequest as error:
        faults.append(error.fault)
    if locked and lock is not None and lock.occ_lock is None and not lock.conditional and "occ_lock" not in sent:
        faults.append(Fault("MEMBER_MISSING", "is required, or an If-Match header", "occ_lock"))
    if faults or lock is None or act is None:
        raise Invalid(faults + await _others(further, sent, faults), more)
    return Intake(sent, body, lock, act, query)


async def _others(further: Further | None, sent: Mapping[str, Json], faults: list[Fault]) -> list[Fault]:
    if further is None:
        return []
    known = {fault.field for fault in faults}
    return [fault for fault in await further(sent) if fault.field not in known]


def _some(sent: dict[str, Json], model: type[BaseModel]) -> tuple[dict[str, Json], int]:
    """What was sent, of many members that nobody knows only as many as an answer shows, and how many are left out:
    each costs the model more than all that it knows."""
    if len(sent) <= len(model.model_fields) + MAX_FAULTS:
        return sent, 0
    unknown = [name for name in sent if name not in model.model_fields]
    beyond = set(unknown[MAX_FAULTS:])
    more = 0 if issubclass(model, Lenient) else len(beyond)
    return {name: value for name, value in sent.items() if name not in beyond}, more
