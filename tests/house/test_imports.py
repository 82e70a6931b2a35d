"""Imports point inwards: service → projections → domain, and the inner two stand on the standard library."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "domain": {"domain", "eventsourcing.domain"},
    "projections": {"domain", "projections"},
}


def imported_by(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(), file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            # `from eventsourcing import persistence` names the module only together with what follows.
            yield from (
                node.module if node.module and "." in node.module else f"{node.module}.{alias.name}"
                for alias in node.names
            )


def within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("package", ALLOWED)
def test_an_inner_package_imports_only_what_is_further_in(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    strangers = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in imported_by(file)
        if module.partition(".")[0] not in sys.stdlib_module_names and not within(module, ALLOWED[package])
    ]
    assert strangers == []


def test_no_package_imports_the_tests() -> None:
    files = [file for package in ("domain", "projections", "service") for file in (ROOT / package).rglob("*.py")]
    assert [file for file in files for module in imported_by(file) if within(module, {"tests"})] == []


@pytest.mark.parametrize(
    ("imported", "spared"),
    [
        ("service.cli, service.serving", {"requests", "opentelemetry.sdk", "redis", "hiredis"}),
        ("service.cli", {"aiohttp", "asyncpg", "redis"}),
    ],
    ids=["serving", "any command"],
)
def test_what_is_not_used_is_not_even_imported(imported: str, spared: set[str]) -> None:
    """Neither the exporter of traces nor the client of Redis, which takes a sixth of a start, where none is set."""
    code = f"import sys, {imported}; print({spared} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"
