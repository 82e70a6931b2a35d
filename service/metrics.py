"""What is counted and timed, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]


class Metrics:
    """One registry per service, so that two in one process (tests) do not share their numbers."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "ims_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "ims_http_request_seconds", "Seconds until an answer.", ["method", "route"], buckets=BUCKETS,
            registry=self._registry,
        )  # fmt: skip
        self.head = self._gauge("ims_log_head", "Newest position of the log that this process knows.")
        self.waiting = self._gauge("ims_writer_waiting", "Commands that wait for the log.")
        self.read_position = self._gauge("ims_read_models_position", "Position that the read models have reached.")
        self.stopped = self._gauge("ims_follower_stopped", "1 where a follower met an event that it cannot apply.")
        self._observed: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        # Anybody may send any word as a method, and each label costs memory.
        key = (method if method in METHODS else "other", route, status)
        pair = self._observed.get(key)
        if pair is None:
            pair = self._observed[key] = (
                self.requests.labels(*key),
                self.seconds.labels(*key[:2]),
            )
        pair[0].inc()
        pair[1].observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self._registry)
