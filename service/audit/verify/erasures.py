"""Content that is gone: by order of an event in the log, which is proven itself, or not."""

from service.audit.verify.findings import Fault, Findings, events
from service.store.log import Row


class Erasures:
    """The one place that knows what an erasure leaves behind."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def judge(self, row: Row) -> None:
        """A row whose content does not have its digest, or is gone."""
        self._findings.add([unordered(row)])


def unordered(row: Row) -> Fault:
    if row.state is None:
        return events("EVENT_ERASED", row.position, row.position, "erased, and no order says so")
    return events("EVENT_ALTERED", row.position, row.position, "altered: its content does not have its digest")
