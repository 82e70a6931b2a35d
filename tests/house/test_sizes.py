"""A file answers one question: it is short, and its name says which."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "projections", "service")
MAX_LINES = 300
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}

FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


def test_no_file_is_long() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_name_is_empty() -> None:
    names = {part for file in FILES for part in file.relative_to(ROOT).with_suffix("").parts}
    assert names & EMPTY_NAMES == set()
