"""What is counted and timed, for Prometheus. No label names a tenant, a user or anything that was submitted."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from service.tallies import EVENTS, Spread, Tally

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
DONE = "done"
"""The outcome of a command that was carried out, or was before; of another it is its error's code, in small letters."""

__all__ = ["CONTENT_TYPE_LATEST", "DONE", "Metrics"]


def method_label(method: str) -> str:
    """Anybody may send any word as a method, and each label costs memory."""
    return method if method in METHODS else "other"


_C = TypeVar("_C", bound=Collector)


class Metrics:
    """One registry per service, so that two in one process (tests) do not share their numbers.

    What happens often is counted as it happens; the gauges are set when somebody looks (`measuring.py`).
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        route = ("method", "route")
        self._requests = self._add(Tally("ims_http_requests", "Requests answered.", (*route, "status")))
        self._seconds = self._add(Spread("ims_http_request_seconds", "Seconds until an answer.", route))
        self.commands = self._add(Tally("ims_commands", "Commands, by what became of them.", ("command", "outcome")))
        self._group_events = self._add(
            Spread("ims_writer_group_events", "Commands in one group of the writer.", bounds=EVENTS)
        )
        self._group_wait = self._add(
            Spread("ims_writer_wait_seconds", "Seconds that a group's oldest command had waited when it was sent.")
        )
        self._group_commit = self._add(
            Spread("ims_writer_commit_seconds", "Seconds until the log had answered for a group.")
        )
        self.head = self._gauge("ims_log_head", "Newest position of the log that this process knows.")
        self.waiting = self._gauge("ims_writer_waiting", "Commands that wait for the log.")
        self.read_position = self._gauge("ims_read_models_position", "Position that the read models have reached.")
        self.stopped = self._gauge(
            "ims_follower_stopped", "1 where a follower met an event that it cannot apply; the reason names it.",
            ["reason"],
        )  # fmt: skip
        follower = ["follower"]
        self.position = self._gauge("ims_follower_position", "Position that a follower has committed.", follower)
        self.lag_events = self._gauge("ims_follower_lag_events", "Events of the log that a follower lacks.", follower)
        self.lag_seconds = self._gauge(
            "ims_follower_lag_seconds", "How long ago the next event that a follower lacks was recorded.", follower
        )
        self.failing = self._gauge(
            "ims_follower_failing", "1 where a follower has stopped or cannot go on; `/status` says why.", follower
        )
        self.outdated = self._gauge(
            "ims_follower_outdated", "1 where this process left an event to a newer release.", follower
        )
        self.held = self._gauge("ims_lease_held", "1 where this process holds the follower's lease.", follower)
        self.lookups = self._add(Tally("ims_cache_lookups", "Look-ups in a cache.", ("cache", "result")))
        self.pool = self._gauge("ims_pool_connections", "Connections to the database, and who waits for one.", ["use"])
        self.verified = self._gauge("ims_verifier_position", "Position up to which this round of verifying has come.")
        self.diverged = self._gauge("ims_verifier_diverged", "1 where log, tree and checkpoints are at odds.")
        self.log_dropped = self._add(Tally("ims_log_records_dropped", "Log records that were not written."))
        self.unmet = self._gauge(
            "ims_condition_unmet",
            "1 where database or clock are not as they must be; `/status` says why.",
            ["condition"],
        )
        self.refusing = self._gauge("ims_writes_refused", "1 where a condition keeps this process from recording.")
        self.log_ahead = self._gauge(
            "ims_log_ahead_seconds", "How far the newest event is ahead of the database's clock; 0 where it is not."
        )
        self.clock_offset = self._gauge(
            "ims_clock_offset_seconds", "How far this process's clock is behind the database's."
        )
        self.counting_alone = self._gauge(
            "ims_rate_limit_fallback", "1 where Redis did not answer, and this process counts requests for itself."
        )
        self.streams = self._gauge("ims_event_streams", "Streams of events that are open.")
        self.streams_dropped = self._add(Tally("ims_event_streams_dropped", "Streams cut because nobody read them."))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        method = method_label(method)
        self._requests.add(method, route, str(status))
        self._seconds.add(seconds, method, route)

    def grouped(self, events: int, waited: float, took: float) -> None:
        """A group of the writer has its answers. Times in seconds."""
        self._group_events.add(events)
        self._group_wait.add(waited)
        self._group_commit.add(took)

    def forget(self, follower: str) -> None:
        """Say nothing of it any more."""
        for gauge in (self.held, self.outdated, self.position, self.lag_events, self.lag_seconds, self.failing):
            with suppress(KeyError):
                gauge.remove(follower)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def _add(self, collector: _C) -> _C:
        self._registry.register(collector)
        return collector

    def _gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, text, labels, registry=self._registry)
