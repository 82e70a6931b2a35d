"""The versions that edits name: a load that edits begins with those of now, and counts on from there by itself."""

import http.client
import json
from pathlib import Path

from tests.bench.competitors import Server
from tests.bench.load import TIMEOUT

EDITED = 1_000
"""Incidents that are edited in turn: each has its answer long before its turn comes again."""


def with_locks(server: Server, ids: Path) -> Path:
    """A file with the first incidents' ids, each with its `occ_lock` on the same line."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    lines = []
    try:
        for id in ids.read_text().split()[:EDITED]:
            connection.request("GET", f"/v1/incident/{id}", headers={"Authorization": f"Bearer {server.token}"})
            lock = json.loads(connection.getresponse().read())["data"]["occ_lock"]
            lines.append(f"{id} {lock}\n")
    finally:
        connection.close()
    file = ids.with_suffix(".locks")
    file.write_text("".join(lines))
    return file
