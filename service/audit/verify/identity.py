"""Which log it is, by everything that says so: the log itself, the keys and checkpoints beside it."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from service.audit.checkpoint import origin_of
from service.audit.checkpoints import Checkpoints
from service.audit.notes import NoteInvalid, Verifier
from service.audit.verify.findings import Fault, Findings
from service.store.identity import NOT_TOLD, Identity


async def kept_keys(checkpoints: Checkpoints, findings: Findings) -> list[Verifier]:
    """Those that can be used, newest first; what is wrong with the rest is found."""
    keys = []
    for place, (text, number) in enumerate(await checkpoints.every_key()):
        try:
            keys.append(Verifier.of(text))
        except (NoteInvalid, TypeError, AttributeError) as error:
            findings.add([Fault("KEY_INVALID", f"audit_keys: a key that is kept beside the log: {error}")])
        if number != place:
            findings.add([Fault("KEY_INVALID", f"audit_keys: key {place} has the number {number}")])
    return keys[::-1]


async def check_identity(
    identity: Identity, checkpoints: Checkpoints, keys: Sequence[Verifier], findings: Findings
) -> None:
    names = {*(key.name for key in keys), *await checkpoints.origins()}
    findings.add(Fault("LOG_CONTRADICTED", text) for text in _contradictions(identity, names))


def _contradictions(identity: Identity, names: set[str]) -> Iterator[str]:
    """`names`: of logs, as keys and checkpoints have them."""
    log_id, restored, formerly = identity
    own = origin_of(log_id)
    others = names - {own}
    if identity.contradicts:
        says = "was restored" if restored else "never was restored"
        yield f"log_identity: restored says that the log {says}, formerly that it was {formerly or 'no other'}"
    if others and formerly is None:
        yield f"log_identity: log_id names the log {log_id}; keys or checkpoints are of {', '.join(sorted(others))}"
    if others and formerly not in (None, NOT_TOLD) and origin_of(_known(formerly)) not in names:
        yield f"log_identity: formerly names {formerly}; keys and checkpoints are of {', '.join(sorted(names))}"


def _known(id: UUID | None) -> UUID:
    return id or NOT_TOLD
