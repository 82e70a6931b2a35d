"""Which release this is. `pyproject.toml` and `deploy/` say the same, which a test compares."""

from typing import Final

RELEASE: Final = "0.1.0"
