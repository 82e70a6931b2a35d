"""The README's tables say what the code says. A table that differs is printed as it should be, ready to be pasted."""

import re
from pathlib import Path
from typing import Any

import typer.main

from service.cli import cli
from service.http.openapi import Document, status_of
from service.http.routes import ROUTES
from service.http.statuses import CODES
from service.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def section(name: str) -> str:
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no section {name}"
    return found[1]


def table(name: str) -> list[str]:
    return [line for line in section(name).splitlines() if line.startswith("|")]


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def compare(name: str, wanted: list[str]) -> None:
    head = table(name)[:2]
    assert table(name)[2:] == wanted, f"the table of {name} should be:\n\n" + "\n".join([*head, *wanted])


def test_settings() -> None:
    wanted = []
    for name, field in Settings.model_fields.items():
        variable = field.validation_alias or f"IMS_{name.upper()}"
        wanted.append(row(f"`{variable}`", _default(field.default), field.description or ""))
    compare("Settings", wanted)


def test_routes() -> None:
    wanted = [row(route.method, f"`{route.path}`", route.summary) for route in ROUTES if route.listed]
    paths = Document(Settings.model_construct()).value["paths"]
    for path, operations in paths.items():
        if not path.startswith("/v1"):
            wanted.append(row("GET", f"`{path}`", operations["get"]["summary"]))
    compare("Routes", wanted)


def test_errors() -> None:
    wanted = [row(f"`{code}`", str(status_of(code)), text.partition(": ")[2]) for code, text in CODES.items()]
    compare("Errors", wanted)


def test_commands() -> None:
    targets = re.findall(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    wanted = [row(f"`make {target}`", text) for target, text in targets]
    wanted += [row(f"`{name}`", text) for name, text in _commands(typer.main.get_command(cli), "ims")]
    compare("Commands", wanted)


def test_every_command_that_is_mentioned_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*?## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    mentioned = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert mentioned <= targets
    names = {name for name, _ in _commands(typer.main.get_command(cli), "ims")}
    spoken = set(re.findall(r"`(ims [a-z]+(?: [a-z]+)?)", README))
    assert spoken <= names, spoken - names


def test_each_guarantee_has_its_tests_beside_it() -> None:
    for line in table("Guarantees, and how each is tested")[2:]:
        tests = re.findall(r"`([^`]+)`", line.rpartition(" | ")[2])
        assert tests, line
        assert [test for test in tests if not (ROOT / test).is_file() or "/test_" not in test] == [], line


def _commands(command: Any, name: str) -> list[tuple[str, str]]:
    """Of a group, those within it; typer brings a `click` of its own, whose types have no public name."""
    if hasattr(command, "commands"):
        return [found for sub, one in command.commands.items() for found in _commands(one, f"{name} {sub}")]
    return [(name, (command.help or "").partition("\n")[0])]


def _default(value: object) -> str:
    if isinstance(value, dict):
        return f"`{','.join(f'{name}:{kind}' for name, kind in value.items())}`"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`" if value else ""
    return f"`{value}`" if value not in ("", None) else ""
