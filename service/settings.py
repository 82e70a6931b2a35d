"""Every setting of the service, its unit and its default: the only place that reads the environment."""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.attribute_types import AttributeType
from domain.codes import Codes
from service.database_url import is_postgres, sqlite_file
from service.setting_types import (
    AnonymousRate,
    BasePath,
    ClaimPathText,
    CollectorUrl,
    DatabaseUrl,
    Definitions,
    ListOf,
    Networks,
    RedisUrl,
    RoleNames,
    Words,
)

Role = Literal["api", "projector", "publisher", "auditor"]
Stream = Literal["all", "tenants"]

POSTGRES_RATE_LIMIT = "2000/second"
CHECKPOINT_KEY = "checkpoint-key.pem"


class InvalidSettings(Exception):
    """Some variables of the environment cannot be used; the text names each and says why."""


class Settings(BaseSettings):
    """Values are read from variables named `IMS_` and the field's name in capitals; lists are separated by commas.

    Where an alias is given, the variable has the name that is usual everywhere.
    """

    model_config = SettingsConfigDict(env_prefix="IMS_", extra="ignore", frozen=True, populate_by_name=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="TCP port to listen on; 0 lets the kernel pick one.")
    base_path: BasePath = Field(
        "",
        description="Path under which a proxy serves the service, such as `/ims`; it stands before the paths that "
        "answers name. Requests may come with it or without.",
    )
    data_dir: Path = Field(Path(".ims"), description="Folder of the embedded database and of the local signing key.")
    run: ListOf[Role] = Field(
        ("api", "projector", "publisher", "auditor"),
        description="What this process does: `api`, `projector` builds the read models, `publisher` the event streams, "
        "`auditor` the tree that proves the log.",
    )

    database_url: DatabaseUrl = Field(
        "",
        description="`sqlite:///path` or `postgresql://…`, which may name several hosts, `host:port,host:port`: the "
        "one that takes writes is found, and the parameters of libpq that hold here; empty: SQLite in the data "
        "directory, file `ims.db`.",
    )
    database_schema: str = Field(
        "ims", pattern=r"^[a-z_][a-z0-9_]{0,47}$", description="PostgreSQL schema that holds every table."
    )
    database_pool: int = Field(8, ge=1, le=200, description="Connections for reads, per process (PostgreSQL).")
    database_timeout: float = Field(5.0, gt=0, le=60, description="Seconds a statement or a connection may take.")
    write_timeout: float = Field(
        8.0, gt=0, le=60, description="Seconds until a write whose outcome is not known is answered 503."
    )
    max_clock_lead: float = Field(
        300.0,
        ge=1,
        le=1e10,
        description="Seconds that the newest event may be ahead of the database's clock; beyond, writes are refused "
        "with 503 until an operator has looked.",
    )
    redis_url: RedisUrl = Field(
        "",
        description="`redis://host:port/db`, `rediss://…` or `redis+sentinel://host:port,host:port/master/db`: events "
        "are published and rate limits counted there; empty: nothing is published.",
    )
    redis_ca_file: Path | None = Field(
        None, description="File with the certificates to trust Redis by, in place of the system's."
    )
    redis_timeout: float = Field(5.0, gt=0, le=60, description="Seconds Redis may take to answer.")
    redis_replicas: int = Field(
        0, ge=0, le=10, description="Replicas of Redis that must have an event before it counts as published."
    )
    streams: ListOf[Stream] = Field(
        ("all", "tenants"),
        description="Which streams there are: `all`, one for all tenants together; `tenants`, one for each.",
    )
    stream_max_age: int = Field(0, ge=0, description="Seconds that events stay in the streams; 0: for ever.")
    stream_max_length: int = Field(0, ge=0, description="Events that each stream keeps, the newest; 0: all.")

    checkpoint_key_file: Path | None = Field(
        None,
        description="PEM file with the Ed25519 key that an `auditor` signs checkpoints with, made where there is none; "
        f"empty: `{CHECKPOINT_KEY}` in the data directory.",
    )
    checkpoint_interval: float = Field(
        60.0, gt=0, le=86400, description="Seconds between two checkpoints of a log that grows."
    )
    verify_rate: int = Field(
        50, ge=0, le=10_000, description="Events that an `auditor` verifies in a second, round and round; 0: none."
    )

    status_codes: Words = Field(
        ("NEW", "OPEN", "INVESTIGATING", "RESOLVED", "CLOSED"), description="Allowed values of `status`."
    )
    type_codes: Words = Field(
        ("OTHERS", "SYSTEM_FAILURE", "SECURITY", "PERFORMANCE", "MAINTENANCE"), description="Allowed values of `type`."
    )
    severity_codes: Words = Field(
        ("LOW", "MEDIUM", "MAJOR", "HIGH", "CRITICAL"),
        description='Allowed values of `severity`, beside "" which stands for none.',
    )
    attributes: Definitions = Field(
        {"workflowId": AttributeType.STRING, "count": AttributeType.NUMBER},
        description="Attributes that every tenant has from the start, `name:TYPE` each.",
    )

    oidc_issuer: Words = Field(
        (),
        description="Issuer URLs of the OpenID providers, as `iss` has them; their keys are found by discovery. Users "
        "of the first have their own ids, those of the others have their issuer before it: add new ones at the end.",
    )
    oidc_jwks_url: Words = Field(
        (), description="Where the keys are, if not where the issuer's discovery says: one for each issuer, in order."
    )
    oidc_audience: Words = Field(
        (),
        description="Audiences of which a token must name one (`aud` or `azp`; `client_id` where there is no `aud`); "
        "`*` takes any.",
    )
    oidc_required_scopes: Words = Field(
        (), description="Scopes that a provider's token must have, all of them (`scope` or `scp`)."
    )
    oidc_require_at_jwt: bool = Field(
        False, description="Only tokens whose header says `typ: at+jwt` (RFC 9068) are taken."
    )
    token_leeway: int = Field(
        60, ge=0, le=300, description="Seconds that the clocks of issuer and service may differ (`exp`, `nbf`, `iat`)."
    )
    jwks_file: Path | None = Field(None, description="File with the public keys (JWKS), in place of an issuer.")
    tenant_claim: ClaimPathText = Field(
        "active_tenant.tenant_id",
        description=r"Path of the claim that names the tenant; `\.` is a dot within a name, as in the next three.",
    )
    roles_claim: ClaimPathText = Field(
        "active_tenant.roles", description="Path of the claim that lists the roles in the tenant."
    )
    user_claim: ClaimPathText = Field("sub", description="Path of the claim with the user's id, which never changes.")
    name_claim: ClaimPathText = Field(
        "name",
        description="Path of the claim with the name that is shown; else `name`, `preferred_username`, the user's id.",
    )
    deployer_roles: Words = Field(
        ("system-admin", "tenant-admin"), description="Roles that may define attributes, and write."
    )
    eraser_roles: Words = Field(("eraser",), description="Roles that may erase content from the log for good.")
    writer_roles: RoleNames = Field(
        (),
        description="Roles that may write, beside deployers. Where this and the next are empty, anybody may; else "
        "nobody but these.",
    )
    read_only_roles: RoleNames = Field((), description="Roles that never allow to write, define or erase.")
    auditor_roles: Words = Field(
        ("auditor",), description="Roles that may read the past of deleted incidents, as deployers may."
    )

    cors_origins: Words = Field((), description="Origins whose pages may call the API; `*` for any.")
    rate_limit: str = Field(
        "",
        description=f"Requests per tenant, e.g. `500/second`; `off`; empty: off on SQLite, "
        f"{POSTGRES_RATE_LIMIT} on PostgreSQL.",
    )
    anonymous_rate_limit: AnonymousRate = Field(
        "",
        description="How often an address may be refused for want of a token that is taken, e.g. `100/minute`, counted "
        "per process; beyond, it gets 429. Empty or `off`: there is no limit.",
    )
    trusted_proxies: Networks = Field(
        (),
        description="Networks of the proxies before the service, e.g. `10.0.0.0/8`: a request that comes from one of "
        "them has the last address of `X-Forwarded-For` that is none of theirs.",
    )
    read_timeout: float = Field(1.0, gt=0, le=30, description="Seconds a read waits for the read model, then 503.")
    request_timeout: float = Field(10.0, gt=0, le=300, description="Seconds a client has to send a request's body.")
    idle_timeout: float = Field(
        75.0,
        gt=0,
        le=3600,
        description="Seconds after which a connection is closed that has sent no whole request head.",
    )
    max_connections: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Connections that a process keeps, as far as it may have file handles for them; where there would "
        "be more, those that have been idle longest are closed.",
    )
    max_header_size: int = Field(
        32_768,
        ge=8_190,
        le=131_072,
        description="Bytes of each request header, a token's too; let the proxy before it take as much.",
    )
    drain_time: float = Field(
        5.0,
        ge=0,
        le=300,
        description="Seconds that a process with the API goes on serving on SIGTERM, not ready and closing each "
        "connection it answers on, while the proxy before it finds others; 0: none, as on SIGINT.",
    )
    shutdown_timeout: float = Field(8.0, gt=0, le=60, description="Seconds that requests in flight have after that.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    otlp_endpoint: CollectorUrl = Field(
        "",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Where traces are sent, by OTLP over HTTP (`http://collector:4318`); empty: there are none.",
    )
    log_format: Literal["json", "console"] = Field("json", description="Form of the log records, on stderr.")

    @model_validator(mode="after")
    def _signing_in(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("IMS_OIDC_AUDIENCE is required with IMS_OIDC_ISSUER (`*` takes any audience)")
        if self.oidc_issuer and self.jwks_file:
            raise ValueError("set IMS_OIDC_ISSUER or IMS_JWKS_FILE, not both")
        both = set(self.writer_roles).intersection(self.read_only_roles)
        if both:
            raise ValueError(f"IMS_WRITER_ROLES and IMS_READ_ONLY_ROLES both name {', '.join(sorted(both))}")
        if not self.run:
            raise ValueError("IMS_RUN names nothing to run")
        return self

    @property
    def postgres(self) -> bool:
        return is_postgres(self.database_url)

    @property
    def sqlite_path(self) -> Path:
        """The log's file."""
        if self.database_url:
            return Path(sqlite_file(self.database_url))
        return self.data_dir / "ims.db"

    @property
    def checkpoint_key(self) -> Path:
        return self.checkpoint_key_file or self.data_dir / CHECKPOINT_KEY

    @property
    def read_models_path(self) -> Path:
        """Beside the log's file."""
        return self.sqlite_path.with_name(f"{self.sqlite_path.stem}.read{self.sqlite_path.suffix}")

    @property
    def requests_per_tenant(self) -> str | None:
        if self.rate_limit == "off":
            return None
        return self.rate_limit or (POSTGRES_RATE_LIMIT if self.postgres else None)

    @cached_property
    def codes(self) -> Codes:
        return Codes(self.status_codes, self.type_codes, ("", *self.severity_codes))


def load_settings(**others: Any) -> Settings:
    """Read the environment, but for `others`; raises InvalidSettings with a line for each that cannot be used."""
    try:
        return Settings(**others)
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            name = "".join(_variable(str(part)) for part in fault["loc"][:1])
            text = fault["msg"].removeprefix("Value error, ")  # the library's word, which helps nobody
            lines.append(f"{name}: {text}" if name else text)
        raise InvalidSettings("\n".join(lines)) from None


def _variable(field: str) -> str:
    """As it stands in the environment; what has an alias is known by that."""
    return field if field.startswith("OTEL_") else f"IMS_{field}".upper()
