"""Where the database is: `sqlite:///path`, or `postgresql://…` with those parameters of libpq that hold here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlencode

from service.server_url import ServerUrl, place_of, scheme_of, split

POSTGRES_SCHEMES: Final = ("postgresql", "postgres")
SQLITE_SCHEME: Final = "sqlite"
FORMS: Final = "sqlite:///path, postgresql://… or postgres://…"
APPLICATION: Final = "ims"
MAX_CONNECT_SECONDS: Final = 60

_TIMEOUTS: Final = "every wait has a limit, IMS_DATABASE_TIMEOUT: leave it out"
_CHOICES: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "channel_binding": (("disable", "prefer"), "there is none here: sslmode=verify-full proves who the server is"),
    "client_encoding": (("utf8", "utf-8", "auto"), "the service speaks UTF8"),
    "gssencmode": (("disable", "prefer"), "connections are encrypted by TLS alone, see sslmode"),
    "load_balance_hosts": (("disable",), "of several hosts the one that takes writes is found"),
    "target_session_attrs": (("any", "read-write", "primary"), "the service writes"),
    "sslmode": (("disable", "allow", "prefer", "require", "verify-ca", "verify-full"), "libpq has no other"),
    "sslnegotiation": (("postgres", "direct"), "libpq has no other"),
}
"""Parameters of which some values hold here, and why no others do."""
_DRIVERS: Final = (
    "passfile", "service", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslmode", "sslnegotiation",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib",
)  # fmt: skip
"""What the driver itself understands."""
_SESSION: Final = ("application_name", "options")
_PLACES: Final = ("host", "port", "dbname", "user", "password")
_PARAMETERS: Final = frozenset(
    (*_CHOICES, *_DRIVERS, *_SESSION, *_PLACES, "connect_timeout", "fallback_application_name")
)
_HINTS: Final = {
    **dict.fromkeys(
        ("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"), _TIMEOUTS
    ),
    **dict.fromkeys(("statement_timeout", "lock_timeout", "command_timeout", "pool_timeout"), _TIMEOUTS),
    **dict.fromkeys(("schema", "currentSchema", "search_path"), "IMS_DATABASE_SCHEMA names the schema"),
    **dict.fromkeys(("pool_size", "connection_limit", "max_connections"), "IMS_DATABASE_POOL is the limit"),
    **dict.fromkeys(("ssl", "tls", "sslaccept"), "sslmode says it"),
    "pgbouncer": "IMS_DATABASE_URL must lead to the server, or to a pooler in session mode: deploy/README.md",
    "hostaddr": "name the address as the host",
    "require_auth": "the server's pg_hba.conf says it",
}


@dataclass(frozen=True)
class PostgresUrl:
    """`urls`: one for each host, as the driver takes them. `connect_seconds`: None where the URL does not say.

    `session`: what else is asked of each session.
    """

    urls: tuple[str, ...]
    connect_seconds: float | None
    session: Mapping[str, str]


def is_postgres(url: str) -> bool:
    return scheme_of(url).partition("+")[0] in POSTGRES_SCHEMES


def normal(url: str) -> str:
    """The same without what programs in Python add to a scheme for themselves (`+asyncpg`). Raises ValueError."""
    url = url.strip()
    scheme = scheme_of(url)
    engine, _, _ = scheme.partition("+")
    rest = url[len(scheme) :]
    if engine == SQLITE_SCHEME:
        _check_file(rest)
    elif engine in POSTGRES_SCHEMES:
        postgres(url)
    else:
        raise ValueError(f"begin with {FORMS}")
    return engine + rest


def sqlite_file(url: str) -> str:
    return url.partition(":///")[2]


def postgres(url: str) -> PostgresUrl:
    """Raises ValueError, which names the parameter at fault and shows nothing of a password."""
    parts = split(url, _PARAMETERS, _HINTS)
    query = parts.query
    for name, (taken, why) in _CHOICES.items():
        if name in query and query[name].lower() not in taken:
            raise ValueError(f"{name} takes {', '.join(taken)}: {why}")
    name = query.get("fallback_application_name", APPLICATION)
    session = {"application_name": query.get("application_name", name)}
    if "options" in query:
        session["options"] = query["options"]
    kept = {name: query[name] for name in _DRIVERS if name in query}
    database = unquote(parts.path[1:])
    if "dbname" in query:
        database = _one("database's name", database, query["dbname"])
    credentials = _credentials(parts)
    tail = f"/{quote(database, safe='')}" if database else ""
    asked = f"?{urlencode(kept, quote_via=quote)}" if kept else ""
    urls = tuple(f"postgresql://{credentials}{_written(*place)}{tail}{asked}" for place in _places(parts))
    return PostgresUrl(urls, _connect_seconds(query.get("connect_timeout")), session)


def _places(parts: ServerUrl) -> list[tuple[str, int | None]]:
    """Named before the path, or in the query as libpq has it; one for each host."""
    places = [place for place in parts.places if place != ("", None)]
    if "host" in parts.query:
        if any(host for host, _ in places):
            raise ValueError("host stands in the query, and a host before the path: name it once")
        ports = [port for _, port in places]
        places = [(host, None) for host in parts.query["host"].split(",")]
        if ports:
            places = [(host, ports[0]) for host, _ in places]
    if "port" in parts.query:
        if any(port is not None for _, port in places):
            raise ValueError("port stands in the query, and a port before the path: name it once")
        ports = [place_of(f":{port}")[1] for port in parts.query["port"].split(",")]
        places = places or [("", None)]
        if len(ports) not in (1, len(places)):
            raise ValueError(f"{len(ports)} ports for {len(places)} hosts")
        places = [
            (host, port)
            for (host, _), port in zip(places, ports if len(ports) > 1 else ports * len(places), strict=True)
        ]
    if len(places) > 1 and any(not host for host, _ in places):
        raise ValueError("a host between the commas is missing")
    return places or [("", None)]


def _credentials(parts: ServerUrl) -> str:
    user, password = parts.user or "", parts.password
    if "user" in parts.query:
        user = _one("user", user, parts.query["user"])
    if "password" in parts.query:
        password = _one("password", password or "", parts.query["password"])
    if not user and password is None:
        return ""
    return quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "") + "@"


def _one(what: str, before: str, asked: str) -> str:
    if before and before != asked:
        raise ValueError(f"the {what} stands in the query and before it: name it once")
    return asked


def _written(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else quote(host, safe="")
    return name + (f":{port}" if port is not None else "")


def _connect_seconds(asked: str | None) -> float | None:
    """As libpq has it, 0 stands for no limit; there is one here, IMS_DATABASE_TIMEOUT."""
    if asked is None:
        return None
    if not asked.isascii() or not asked.isdigit() or int(asked) > MAX_CONNECT_SECONDS:
        raise ValueError(f"connect_timeout takes whole seconds, 0 to {MAX_CONNECT_SECONDS}")
    return float(asked) or None


def _check_file(rest: str) -> None:
    path = rest.removeprefix(":///")
    if path == rest:
        raise ValueError("three slashes stand before a file's path: sqlite:///folder/ims.db, or four: sqlite:////var/…")
    if "?" in path or "#" in path:
        raise ValueError("nothing may stand behind the file's name: there are no parameters for SQLite")
    if path.startswith((":memory:", "file:")):
        raise ValueError("name a file: a log in memory would be gone with the process")
    if path.rpartition("/")[2] in ("", ".", ".."):
        raise ValueError("name a file, such as sqlite:///folder/ims.db")
