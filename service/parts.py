"""The parts of a running service, by name: made in `app.py`, used by the handlers."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from domain.event import Fact
from projections.database import Database
from projections.follower import Follower
from projections.lease import Leases
from service.aggregates import Aggregates
from service.anonymous_limit import AnonymousLimit
from service.audit.auditing import Auditing
from service.audit.proofs import Proofs
from service.auth.tokens import Authenticator
from service.commands import Commands
from service.definitions import TenantDefinitions
from service.documents import Documents
from service.erasures import Erasures
from service.freshness import Freshness
from service.histories import Histories
from service.lists import Lists
from service.metrics import Metrics
from service.rate_limit import RateLimit
from service.repeats import Repeats
from service.settings import Settings
from service.store.feed import Feed
from service.store.log import Log
from service.store.writer import Writer
from service.subscribers.pages import EventPages
from service.subscribers.tail import Tail
from service.tracing.spans import Spans
from service.watch import Watch

if TYPE_CHECKING:
    from service.streams.publishing import PublishingProcess


@dataclass(slots=True)
class Parts:
    """What this process does not do is None: `follower` builds read models, `publisher` streams, `auditing` proofs,
    `spans` traces."""

    settings: Settings
    authenticator: Authenticator
    log: Log
    database: Database
    pool_use: Callable[[], Mapping[str, int]]
    feed: Feed
    writer: Writer
    watch: Watch
    aggregates: Aggregates
    definitions: TenantDefinitions
    commands: Commands
    erasures: Erasures
    freshness: Freshness
    documents: Documents
    lists: Lists
    histories: Histories
    leases: Leases
    metrics: Metrics
    repeats: Repeats
    rate_limit: RateLimit
    anonymous_limit: AnonymousLimit
    pages: EventPages
    proofs: Proofs
    tail: Tail
    follower: Follower[Fact] | None
    publisher: "PublishingProcess | None"
    spans: Spans | None
    auditing: Auditing | None
    broken: asyncio.Future[None]
    """Has an exception when this process must not go on."""
    began: float = field(default_factory=time.monotonic)
    """In seconds of a clock that only rises."""
    has_answered: bool = False
    """A read could be answered since it began, or was waited for long enough."""
    leaving: bool = False
    """It ends soon: whoever can ask another process should."""
    stops: dict[str, str] = field(default_factory=dict)
    """The followers of this process that have stopped for good, and why."""

    @property
    def stopped(self) -> str:
        """The same as a text; empty while all is well."""
        return "; ".join(self.stops.values())

    def doubt(self) -> None:
        """The read models may have gone back, and the log may be out of reach: whether it is shows at once."""
        self.freshness.doubt()
        self.documents.doubt()
        self.lists.doubt()
        self.histories.doubt()
        self.feed.doubt()
        self.writer.gate.suspect()

    @property
    def outdated(self) -> str:
        """The event that a follower of this process has left to a newer release; empty while all is well."""
        followers: list[Follower[Any] | None] = [self.follower, self.publisher and self.publisher.follower]
        left = (f"{one.name}: {one.outdated}" for one in followers if one is not None and one.outdated)
        return next(left, "")


PARTS: Final = web.AppKey("parts", Parts)
