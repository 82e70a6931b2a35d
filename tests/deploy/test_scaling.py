"""What `deploy/SCALING.md` computes follows from what it says was measured."""

import re
from pathlib import Path

from tests.bench.scaling import of_clusters, of_growth
from tests.bench.sizes import Weight

PAGE = (Path(__file__).parents[2] / "deploy" / "SCALING.md").read_text()
MEASURED = re.compile(r"^\| (ims\.\w+|WAL of the appends) \| (ims\.\w+|–) \| ([\d,]+) \|$", re.MULTILINE)


def test_the_growth_is_that_of_the_bytes_an_event() -> None:
    rows = MEASURED.findall(PAGE)
    assert len(rows) > 10
    weights = [Weight(relation, of.strip("–"), int(size.replace(",", ""))) for relation, of, size in rows]
    assert of_growth(weights) in PAGE, of_growth(weights)


def test_the_placement_of_tenants_is_what_the_simulation_gives() -> None:
    assert of_clusters() in PAGE, of_clusters()
