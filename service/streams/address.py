"""Where Redis is: `redis://`, `rediss://` (TLS), or a master that sentinels know, `redis+sentinel://`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

SCHEMES = ("redis://", "rediss://", "redis+sentinel://", "rediss+sentinel://")
SENTINEL_PORT = 26379
REDIS_PORT = 6379


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
    """`redis+sentinel://user:password@host:port,host:port/master/db`, the others as usual. Raises ValueError."""
    if not url.startswith(SCHEMES):
        raise ValueError(f"begin with {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}")
    parts = urlsplit(url)
    credentials, _, places = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    path = [unquote(word) for word in parts.path.split("/") if word]
    sentinels = parts.scheme.endswith("+sentinel")
    if sentinels and not path:
        raise ValueError("name the master after the sentinels: redis+sentinel://host:port,host:port/master")
    master = path.pop(0) if sentinels else ""
    if len(path) > 1 or (path and not path[0].isdigit()):
        raise ValueError(f"{'/'.join(path)} is not the number of a database")
    default = SENTINEL_PORT if sentinels else REDIS_PORT
    hosts = tuple(_host(place, default) for place in places.split(","))
    if len(hosts) > 1 and not sentinels:
        raise ValueError("only sentinels can be several")
    return Address(
        hosts, master, int(path[0]) if path else 0, unquote(username) or None, unquote(password) or None,
        parts.scheme.startswith("rediss"), ca_file,
    )  # fmt: skip


def _host(place: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or default
