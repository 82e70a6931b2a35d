"""A Sentinel that watches a Redis and its replicas, and promotes one of them soon."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from tests.servers.children import free_port, spawn, wait_until
from tests.servers.redis import RedisServer, binary

MASTER = "ims"
DOWN_MILLISECONDS = 1_000
"""Less than that a busy machine does to servers that are well; a failover more makes two masters for ten seconds."""
FAILOVER_MILLISECONDS = 1_000
START_SECONDS = 20


class Sentinel:
    """Alone, so its own word is enough to declare the master dead."""

    def __init__(self, master: RedisServer) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ims-sentinel-"))
        self._master = master
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/{MASTER}"

    def master_port(self) -> int:
        with Redis(port=self.port, decode_responses=True) as client:
            found: tuple[str, int] = client.sentinel_get_master_addr_by_name(MASTER)
            return found[1]

    def replicas(self) -> int:
        """How many it knows."""
        with Redis(port=self.port, decode_responses=True) as client:
            return len(client.sentinel_slaves(MASTER))

    def __enter__(self) -> Self:
        lines = (
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self._folder}",
            f"sentinel monitor {MASTER} 127.0.0.1 {self._master.port} 1",
            f"sentinel down-after-milliseconds {MASTER} {DOWN_MILLISECONDS}",
            f"sentinel failover-timeout {MASTER} {FAILOVER_MILLISECONDS}",
        )
        configuration = self._folder / "sentinel.conf"
        configuration.write_text("\n".join(lines) + "\n")
        log = self._folder / "log"
        self._process = spawn([binary(), configuration, "--sentinel"], log=log)
        wait_until(self._ready, self._process, log=log, seconds=START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ready(self) -> bool:
        try:
            return self.master_port() == self._master.port
        except RedisError:
            return False
