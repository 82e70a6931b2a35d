"""The figures of a run as a plot, in SVG: requests a second by how many incidents there are, both logarithmic."""

import json
from pathlib import Path
from typing import Any

import vl_convert

WIDTH, HEIGHT = 560, 340  # pixels


def draw(results: Path) -> None:
    """`results`: JSON, `{"about": …, "rates": {what: {incidents: requests a second}}}`; the plot stands beside it."""
    measured = json.loads(results.read_text())
    results.with_suffix(".svg").write_text(vl_convert.vegalite_to_svg(_plot(measured)))


def _plot(measured: dict[str, Any]) -> dict[str, Any]:
    points = [
        {"what": what, "incidents": int(incidents), "rate": rate}
        for what, by_size in measured["rates"].items()
        for incidents, rate in by_size.items()
    ]
    sizes = sorted({point["incidents"] for point in points})
    about = measured["about"].split("; ")
    return {
        "title": {"text": "Requests a second, one service process on PostgreSQL", "subtitle": about},
        "width": WIDTH,
        "height": HEIGHT,
        "background": "white",
        "data": {"values": points},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {
                "field": "incidents",
                "type": "quantitative",
                "title": "incidents of the tenant",
                "scale": {"type": "log"},
                "axis": {"values": sizes, "format": ","},
            },
            "y": {
                "field": "rate",
                "type": "quantitative",
                "title": None,
                "scale": {"type": "log"},
                "axis": {"format": ","},
            },
            "color": {"field": "what", "type": "nominal", "title": None, "sort": list(measured["rates"])},
        },
    }
