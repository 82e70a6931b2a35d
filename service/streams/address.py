"""Where Redis is: `redis://`, `rediss://` (TLS), or a master that sentinels know, `redis+sentinel://`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from service.server_url import scheme_of, split

SCHEMES: Final = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379
REDIS_PORT = 6379

_VALKEY: Final = {scheme.replace("redis", "valkey", 1): scheme for scheme in SCHEMES}
"""Another name for the same protocol: `valkey://`, `valkeys://`."""
_SOCKETS: Final = ("unix", "redis+unix", "redis+socket", "redis-socket", "valkey+unix")
_CLUSTERS: Final = ("redis+cluster", "rediss+cluster", "redis-cluster", "valkey+cluster")
_PARAMETERS: Final = ("db",)
_HINTS: Final = {
    **dict.fromkeys(("socket_timeout", "socket_connect_timeout", "timeout"), "IMS_REDIS_TIMEOUT says it"),
    **dict.fromkeys(("ssl_ca_certs", "ssl_ca_certs_path"), "IMS_REDIS_CA_FILE says it"),
    **dict.fromkeys(("ssl", "tls", "ssl_cert_reqs"), "rediss:// is TLS, and its certificate is verified"),
    **dict.fromkeys(("username", "password"), "they stand before the host, redis://user:password@host"),
}


@dataclass(frozen=True)
class Address:
    """`hosts`: of the server, or of the sentinels; then `master` is the name that they know it by."""

    hosts: tuple[tuple[str, int], ...]
    master: str
    db: int
    username: str | None
    password: str | None
    tls: bool
    ca_file: Path | None

    @property
    def places(self) -> str:
        """The hosts as a URL has them."""
        return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)

    def connection(self, host: str, port: int, timeout: float) -> dict[str, Any]:
        """What the client library wants to know of one server, sentinels apart."""
        return {
            **self.sentinel(host, port, timeout),
            "db": self.db,
            "username": self.username,
            "password": self.password,
        }

    def sentinel(self, host: str, port: int, timeout: float) -> dict[str, Any]:
        """Sentinels are asked without a password."""
        known: dict[str, Any] = {
            "host": host,
            "port": port,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
        }
        if self.tls and self.ca_file is not None:
            known["ssl_ca_certs"] = str(self.ca_file)
        return known


def parse(url: str, ca_file: Path | None = None) -> Address:
    """`redis+sentinel://user:password@host:port,host:port/master/db`, the others as usual; `?db=` does as well.

    Raises ValueError, which shows nothing of a password.
    """
    url = url.strip()
    scheme = scheme_of(url)
    if scheme in _SOCKETS:
        raise ValueError(
            "a socket's path is not taken: let Redis listen on 127.0.0.1, and name that, redis://host:port"
        )
    if scheme in _CLUSTERS:
        raise ValueError("name one node of a cluster as any server, redis://host:port: the others are found")
    known = _VALKEY.get(scheme, scheme)
    if known not in SCHEMES:
        raise ValueError(f"begin with {'://, '.join(SCHEMES[:-1])}:// or {SCHEMES[-1]}://")
    parts = split(url, _PARAMETERS, _HINTS)
    path = [unquote(word) for word in parts.path.split("/") if word]
    sentinels = known.endswith("+sentinel")
    if sentinels and not path:
        raise ValueError("name the master after the sentinels: redis+sentinel://host:port,host:port/master")
    master = path.pop(0) if sentinels else ""
    if len(path) > 1:
        raise ValueError("more stands in the path than the number of a database")
    numbers = {_database(number) for number in (*path, *parts.query.values())}
    if len(numbers) > 1:
        raise ValueError("db and the path name two different databases: name one")
    default = SENTINEL_PORT if sentinels else REDIS_PORT
    if any(not host for host, _ in parts.places):
        raise ValueError("a host is missing")
    hosts = tuple((host, port or default) for host, port in parts.places)
    if len(hosts) > 1 and not sentinels:
        raise ValueError("only sentinels can be several")
    return Address(
        hosts, master, numbers.pop() if numbers else 0, parts.user or None, parts.password or None,
        known.startswith("rediss"), ca_file,
    )  # fmt: skip


def _database(number: str) -> int:
    if not (number.isascii() and number.isdigit()):
        raise ValueError("the number of a database is wanted, as in redis://host/2 or redis://host?db=2")
    return int(number)
