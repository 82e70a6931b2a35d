"""The soak tells what grew, and nothing else."""

from dataclasses import replace

from tests.bench.soak import LAST, Sample, grown, memory

STEADY = Sample(megabytes=100.0, lag=20, connections=9, handles=60, incidents=10_000)


def reached(samples: list[Sample]) -> dict[str, bool]:
    return {outcome.what.partition(",")[0]: outcome.reached for outcome in grown(samples)}


def test_what_stays_as_it_is_has_not_grown() -> None:
    assert reached([STEADY] * 20) == {"megabytes": True, "lag": True, "connections": True, "handles": True}


def test_each_that_grows_is_named() -> None:
    for name, step in {"megabytes": 1, "lag": 50, "connections": 1, "handles": 1}.items():
        samples = [replace(STEADY, **{name: getattr(STEADY, name) + step * n}) for n in range(20)]
        assert [what for what, good in reached(samples).items() if not good] == [name]


def test_what_fills_up_in_the_first_fifth_has_not_grown() -> None:
    samples = [replace(STEADY, megabytes=100.0 + min(n, 4) * 10) for n in range(20)]
    assert reached(samples)["megabytes"]


def test_memory_is_looked_at_when_the_last_create_is_reached() -> None:
    samples = [replace(STEADY, incidents=LAST - 1), replace(STEADY, incidents=LAST, megabytes=149.0),
               replace(STEADY, incidents=LAST + 1, megabytes=200.0)]  # fmt: skip
    assert memory(STEADY, samples).reached
    assert not memory(STEADY, samples[2:]).reached
