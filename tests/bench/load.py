"""What a load generator is told and what it tells; it is wrk, or our own (loader.py) where there is none."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.traffic import Request

SCRIPT = Path(__file__).with_name("traffic.lua")
TIMEOUT = 10  # seconds an answer may take before it counts as a failure
GRACE = 60  # seconds on top of the duration after which a generator is given up


@dataclass(frozen=True)
class Load:
    """`ids` is a file with an incident's id a line, after it its version where the request names one; None where it
    names no incident. `start` is where this load begins among the ids and numbers."""

    port: int
    request: Request
    token: str
    ids: Path | None
    start: int
    connections: int


@dataclass(frozen=True)
class Measurement:
    """`failures`: answers with an error's status, broken connections and time-outs; latencies in milliseconds."""

    requests: int
    failures: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return (self.requests - self.failures) / self.seconds


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "asyncio"


def measured(load: Load, seconds: int) -> Measurement:
    """Keep every connection busy for that long, one request at a time on each."""
    if generator() == "wrk":
        return Measurement(**json.loads(_wrk(load, seconds)))
    return Measurement(**json.loads(_loader(load, seconds=seconds))["measurement"])


def created(load: Load, count: int) -> list[str]:
    """Send `count` creating requests as fast as the server takes them; returns the new ids."""
    answer = json.loads(_loader(load, count=count))
    if answer["measurement"]["failures"] or len(answer["ids"]) != count:
        raise RuntimeError(f"{count} incidents were to be created: {answer['measurement']}, {len(answer['ids'])} ids")
    return [str(id_) for id_ in answer["ids"]]


def _wrk(load: Load, seconds: int) -> str:
    request = load.request
    headers = {"Authorization": f"Bearer {load.token}"} | request.headers
    command = ["wrk", "--threads=1", f"--connections={load.connections}", f"--duration={seconds}s"]
    command += [f"--timeout={TIMEOUT}s", f"--script={SCRIPT}"]
    command += [f"--header={name}: {value}" for name, value in headers.items()]
    command += [f"http://127.0.0.1:{load.port}", "--"]
    command += [request.method, request.target, request.body, _ids(load), str(load.start)]
    done = subprocess.run(command, check=True, text=True, capture_output=True, timeout=seconds + GRACE)
    return done.stdout.splitlines()[-1]


def _ids(load: Load) -> str:
    return os.devnull if load.ids is None else str(load.ids)


def _loader(load: Load, seconds: int = 0, count: int = 0) -> str:
    orders = json.dumps(asdict(load) | {"ids": _ids(load), "seconds": seconds, "count": count})
    command = [sys.executable, "-m", "tests.bench.loader"]
    done = subprocess.run(
        command, input=orders, check=True, text=True, stdout=subprocess.PIPE, timeout=seconds + count / 20 + GRACE
    )
    return done.stdout
