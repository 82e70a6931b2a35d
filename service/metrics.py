"""What is counted and timed, for Prometheus."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]


class _Answers(Collector):
    """Answers by method, route and status, and their times by method and route.

    Counted here and made into metrics when somebody looks: the library's own counters take a lock for every number.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._times: dict[tuple[str, str], list[float]] = {}
        """How many answers fell into each bucket and beyond the last, and the sum of their seconds."""

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        self._counts[method, route, str(status)] += 1
        times = self._times.get((method, route))
        if times is None:
            times = self._times[method, route] = [0.0] * (len(BUCKETS) + 2)
        times[bisect_left(BUCKETS, seconds)] += 1
        times[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("ims_http_requests", "Requests answered.", labels=["method", "route", "status"])
        for labels, count in self._counts.items():
            requests.add_metric(labels, count)
        yield requests
        seconds = HistogramMetricFamily(
            "ims_http_request_seconds", "Seconds until an answer.", labels=["method", "route"]
        )
        bounds = [*map(str, BUCKETS), "+Inf"]
        for names, (*counts, total) in self._times.items():
            seconds.add_metric(names, list(zip(bounds, accumulate(counts), strict=True)), total)
        yield seconds


class Metrics:
    """One registry per service, so that two in one process (tests) do not share their numbers."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = _Answers()
        self._registry.register(self._answers)
        self.head = self._gauge("ims_log_head", "Newest position of the log that this process knows.")
        self.waiting = self._gauge("ims_writer_waiting", "Commands that wait for the log.")
        self.read_position = self._gauge("ims_read_models_position", "Position that the read models have reached.")
        self.stopped = Gauge(
            "ims_follower_stopped", "1 where a follower met an event that it cannot apply; the reason names it.",
            ["reason"], registry=self._registry,
        )  # fmt: skip
        self.streams = self._gauge("ims_event_streams", "Streams of events that are open.")
        self.streams_dropped = self._gauge("ims_event_streams_dropped", "Streams cut because nobody read them.")
        self.publisher_position = self._gauge("ims_publisher_position", "Position that the streams have reached.")
        self.publisher_lag = self._gauge("ims_publisher_lag_events", "Events that the streams lack.")
        self.publisher_failing = self._gauge(
            "ims_publisher_failing", "1 where nothing is published: Redis is away, or a stream does not fit the log."
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        # Anybody may send any word as a method, and each label costs memory.
        self._answers.add(method if method in METHODS else "other", route, status, seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self._registry)
