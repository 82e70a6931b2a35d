"""Programs of the machine that some tests use: who lacks one skips them, and is told which package brings it."""

import shutil
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIST = ROOT / ".ci" / "packages"


def packages() -> dict[str, str]:
    """The package of each program, or of a file that has none."""
    return dict(_listed())


def needs(*programs: str) -> pytest.MarkDecorator:
    """The mark of tests that use these programs."""
    missing = [program for program in programs if found(program) is None]
    of = packages()
    return pytest.mark.skipif(
        bool(missing), reason=f"needs {', '.join(f'{program} (the package {of[program]})' for program in missing)}"
    )


def found(program: str) -> str | None:
    """Its path. A pattern such as `/usr/lib/*/some.so` names a file."""
    if program.startswith("/"):
        return next(iter(glob(program)), None)  # noqa: PTH207 - an absolute pattern
    return shutil.which(program)


def _listed() -> Iterator[tuple[str, str]]:
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            package, program, _ = line.split(maxsplit=2)
            yield program, package
