"""One connection to Redis that never reconnects by itself: who uses it learns that the server may be another one.

A pool that mends itself would hide a restart that lost the streams' ends. On a Cluster the client library's own keeps
the connections to the nodes.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from hiredis import pack_command
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisClusterException, RedisError, ResponseError

from projections.database import Unavailable
from service.cancelled import raise_if_cancelled
from service.streams.address import Address

WORDS_AT_ONCE = 70
"""Words of a command that are made ready to send together: ten events."""

_RESP = 2
_NEVER_AGAIN = Retry(NoBackoff(), 0)
_log = structlog.get_logger(__name__)

Command = Sequence[str | bytes | int]
"""Words of one command."""


@contextmanager
def available() -> Iterator[None]:
    """Turn every way in which Redis can be away into one."""
    try:
        yield
    except (TimeoutError, RedisError, RedisClusterException, OSError) as error:
        raise_if_cancelled(error)
        raise Unavailable(f"Redis: {type(error).__name__}: {error}".removesuffix(": ")) from error


class Wire:
    """`timeout`: seconds that connecting, or the answers to what was asked at once, may take."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address, self._timeout = address, timeout
        self._connection: Connection | None = None
        self._cluster: RedisCluster | None = None
        self._asking = asyncio.Lock()

    @property
    def open(self) -> bool:
        return self._connection is not None or self._cluster is not None

    @property
    def clustered(self) -> bool:
        return self._cluster is not None

    async def connect(self) -> None:
        """Raises Unavailable."""
        try:
            with available():
                async with asyncio.timeout(self._timeout):
                    await self._connect()
        except BaseException:
            await self.close()
            raise

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """An answer each, in order; a refusal is an answer of the type ResponseError. Raises Unavailable."""
        async with self._asking:
            try:
                with available():
                    async with asyncio.timeout(self._timeout):
                        return await self._ask(commands)
            except BaseException:
                await self.close()  # answers may still be on the way
                raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        cluster, self._cluster = self._cluster, None
        if connection is not None:
            await connection.disconnect(nowait=True)
        if cluster is not None:
            await cluster.aclose()

    async def _connect(self) -> None:
        address = self._address
        host, port = await self._master() if address.master else address.hosts[0]
        # Both `connect` and `ask` have a limit for all that they do: the library need not set one for each read.
        self._connection = self._made({**address.connection(host, port, self._timeout), "socket_timeout": None})
        await self._connection.connect()  # type: ignore[no-untyped-call]
        if address.master:
            (role,) = await self._ask([("ROLE",)])
            if not isinstance(role, NoPermissionError):
                if isinstance(role, Exception):
                    raise role
                if role[0] != b"master":
                    raise ConnectionError(f"{host}:{port} is no master any more")
        (told,) = await self._ask([("INFO",)])
        info = _info(told)
        if info.get("maxmemory_policy", "noeviction").startswith("allkeys"):
            _log.warning("redis_may_evict_streams", maxmemory_policy=info["maxmemory_policy"])
        if info.get("redis_mode") == "cluster":
            await self.close()
            kind = "rediss" if address.tls else "redis"
            self._cluster = RedisCluster(
                ssl=kind == "rediss", cluster_error_retry_attempts=1, protocol=_RESP,
                **{key: value for key, value in address.connection(host, port, self._timeout).items() if key != "db"},
            )  # fmt: skip
            as_it_is: Any = _as_it_is
            # Answers about streams are to look the same as those of a single server.
            for name in [name for name in self._cluster.response_callbacks if name.startswith("X")]:
                self._cluster.set_response_callback(name, as_it_is)
            await self._cluster.initialize()

    async def _master(self) -> tuple[str, int]:
        """As the first sentinel says that answers."""
        problem = ""
        for host, port in self._address.hosts:
            asking = self._made(self._address.sentinel(host, port, self._timeout / 2))
            try:
                await asking.connect()  # type: ignore[no-untyped-call]
                await asking.send_command("SENTINEL", "get-master-addr-by-name", self._address.master)
                found = await asking.read_response()
                if found:
                    return found[0].decode(), int(found[1])
                problem = f"sentinel {host}:{port} knows no {self._address.master}"
            except (RedisError, OSError) as error:
                raise_if_cancelled(error)
                problem = f"sentinel {host}:{port}: {error}"
            finally:
                await asking.disconnect(nowait=True)
        raise ConnectionError(problem)

    def _made(self, known: dict[str, Any]) -> Connection:
        kind = SSLConnection if self._address.tls else Connection
        return kind(retry=_NEVER_AGAIN, driver_info=None, protocol=_RESP, **known)

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        if self._cluster is not None:
            pipeline = self._cluster.pipeline()
            for command in commands:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)
        connection = self._connection
        if connection is None:
            raise ConnectionError("not connected")
        try:
            packed = [part for command in commands for part in _packed(command)]
            await connection.send_packed_command(packed, check_health=False)
        except RuntimeError as error:  # uvloop's word for a transport that was closed meanwhile
            raise ConnectionError(str(error)) from error
        answers: list[Any] = []
        for _ in commands:
            try:
                answers.append(await connection.read_response(disconnect_on_error=False))
            except ResponseError as error:
                answers.append(error)
        return answers


def _as_it_is(answer: Any, **_: Any) -> Any:
    return answer


def _packed(command: Command) -> Iterator[bytes]:
    """In C, a few words at a time: the client library's own way takes three times as long for a batch of events, all
    words at once twice as long."""
    yield b"*%d\r\n" % len(command)
    for start in range(0, len(command), WORDS_AT_ONCE):
        words: Any = tuple(command[start : start + WORDS_AT_ONCE])
        packed: bytes = pack_command(words)
        yield packed[packed.index(b"\n") + 1 :]


def _info(told: Any) -> dict[str, str]:
    if isinstance(told, NoPermissionError):
        return {}  # a subscriber of one tenant need not know about the server; on a Cluster it must be allowed to
    if isinstance(told, Exception):
        raise told
    if isinstance(told, dict):
        return {str(key): str(value) for key, value in told.items()}
    pairs = (line.partition(":") for line in told.decode().splitlines())
    return {key: value for key, _, value in pairs}
