"""What export, import and replay say when they are done: a line on stderr for people, JSON on stdout for programs."""

import sys
from uuid import UUID

import orjson

from service.console import output


def tell(log_id: UUID, events: int, root: bytes | None = None, *, json: bool, aside: bool = False) -> None:
    """`root`: of their tree, where it was made. `aside`: stdout is taken, so JSON goes to stderr too."""
    if json:
        told = {"log_id": log_id, "events": events, "root": None if root is None else root.hex()}
        out = sys.stderr.buffer if aside else output()
        out.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))
        out.flush()
    else:
        proved = "" if root is None else f", root {root.hex()}"
        print(f"{events} events of the log {log_id}{proved}", file=sys.stderr)  # noqa: T201
