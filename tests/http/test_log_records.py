"""What a failure leaves in the log: where it happened, and nothing of what was sent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAILING = """
import logging
import structlog
from service.logs import configure_logs
from service.settings import load_settings

configure_logs(load_settings())

def fails(body):
    words = [body]
    raise ValueError("a fault of ours")

for log in (structlog.get_logger("ours"), logging.getLogger("asyncio")):
    try:
        fails(input())
    except ValueError:
        log.exception("failed")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_names_the_lines_but_shows_no_values(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING],
        input="sent by a client\nsent by a client\n",
        env={**os.environ, "IMS_LOG_FORMAT": form},
        cwd=ROOT, text=True, capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    assert done.stderr.count("ValueError: a fault of ours") == 2
    assert "in fails" in done.stderr
    assert "sent by a client" not in done.stderr
