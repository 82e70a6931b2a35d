"""The metrics that a service has, by the names under which Prometheus finds them."""

import re

from prometheus_client.parser import text_string_to_metric_families

from service.metrics import Metrics

_NAME = re.compile(r"\b(?:ims|process)_[a-z_]+")


def exposed(text: str) -> set[str]:
    """Every name that a query may use."""
    names = set()
    for family in text_string_to_metric_families(text):
        kinds = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        names |= {family.name + ending for ending in kinds.get(family.type, ("",))}
    return names


def known() -> set[str]:
    return exposed(Metrics().text().decode())


def used(query: str) -> set[str]:
    return set(_NAME.findall(query))
