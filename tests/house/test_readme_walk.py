"""The README's walk, pasted into a shell against a running service: each answer is what the README shows."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import ServiceProcess

ROOT = Path(__file__).parents[2]
CHANGING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z"), "TIME"),
    (re.compile(r'"trace_id": "[0-9a-f]{32}"'), '"trace_id": "TRACE"'),
)


def walk() -> tuple[str, list[Any]]:
    section = (ROOT / "README.md").read_text().split("## A walk")[1].split("\n## ")[0]
    commands = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    answers = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    return "".join(commands), [shown(line) for block in answers for line in block.splitlines()]


def shown(line: str) -> Any:
    """An answer without what differs from one run to the next."""
    text = json.dumps(json.loads(line))
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return json.loads(text)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_each_answer_of_the_walk_is_what_the_readme_shows(
    start_service: Callable[..., ServiceProcess], engine: str, request: pytest.FixtureRequest
) -> None:
    settings = {"database_url": request.getfixturevalue("empty_postgres_dsn")} if engine == "postgresql" else {}
    service = start_service(**settings)
    script, expected = walk()
    script = script.replace(".venv/bin/ims", f"{sys.executable} -m service")
    script = script.replace("http://127.0.0.1:8080", service.url)
    done = subprocess.run(
        ["bash", "-euc", script], env=service.environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert [shown(line) for line in done.stdout.splitlines()] == expected
    assert len(expected) > 8
