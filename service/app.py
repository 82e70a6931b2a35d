"""The composition root: every part is made here, by hand, and handed to those who need it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from domain.event import Fact
from projections.follower import Follower, Stopped
from projections.lease import Lease, Leases
from projections.read_models import FOLLOWER
from projections.tables import Tables
from service.aggregates import Aggregates
from service.anonymous_limit import AnonymousLimit
from service.audit.auditing import auditor
from service.audit.checkpoints import Checkpoints
from service.audit.proofs import Proofs
from service.audit.tree import Tree
from service.auth.sign_in import authenticator
from service.commands import Commands
from service.definitions import TenantDefinitions
from service.documents import Documents
from service.engines import Engine, open_engine
from service.erasures import Erasures
from service.freshness import Freshness
from service.generations import define, expire, read_models
from service.histories import Histories
from service.http.audit import add_key
from service.http.bodies import MAX_BODY
from service.http.cors import allow_origins
from service.http.docs import add_docs
from service.http.entrance import ENTRANCE, Entrance
from service.http.events import end_streams, frame_of
from service.http.health import add_health
from service.http.middlewares import every_request, trace_id_of
from service.http.routes import add_routes
from service.leases import open_leases
from service.lists import Lists
from service.loops import Loop, begun_again, ends_with
from service.metrics import Metrics
from service.parts import PARTS, Parts
from service.rate_limit import RateLimit
from service.repeats import Repeats
from service.settings import Settings
from service.store.eraser import Eraser
from service.store.feed import Feed
from service.store.writer import Writer
from service.streams.publisher import publisher
from service.subscribers.pages import EventPages
from service.subscribers.tail import Tail
from service.tracing.collector import traces
from service.tracing.following import traced
from service.tracing.requests import current_trace_id, traced_requests
from service.tracing.spans import Spans
from service.tracing.writing import TracedWriter
from service.watch import Watch

RELEASE_SECONDS = 0.5
"""What the followers have at the end."""
DRAIN_SECONDS = 1.5
"""How long the writer may take, after the last request, for what nobody waits for any more."""
CHATTY = ("aiohttp.server", "asyncio")
"""Libraries that log what a client does, once for each time."""

_log = structlog.get_logger(__name__)


def application(parts: Parts) -> web.Application:
    """What is served: the API where this process runs it, the state of the process in any case."""
    app = web.Application(client_max_size=MAX_BODY)
    app[PARTS] = parts
    cors = allow_origins(app, parts.settings.cors_origins)
    if parts.spans is None:
        middleware = every_request(parts, cors, trace_id_of)
    else:
        middleware = traced_requests(parts.spans, every_request(parts, cors, current_trace_id))
    app.middlewares.append(middleware)
    app[ENTRANCE] = Entrance(app, middleware, parts.settings.base_path)
    add_health(app)
    add_key(app)
    if "api" in parts.settings.run:
        add_routes(app, parts)
        add_docs(app, parts.settings)
        app.on_shutdown.append(end_streams)
    return app


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Parts]:
    """All parts of a service, their background tasks running until the end."""
    async with AsyncExitStack() as opened:
        spans = await opened.enter_async_context(traces(settings))
        engine = await opened.enter_async_context(open_engine(settings))
        if engine.bells is not None:
            await engine.bells.begin(engine.log.log_id)
        signing_in = await opened.enter_async_context(authenticator(settings))
        feed = Feed(engine.log)
        await feed.start()
        leases = await open_leases(engine)
        publishing = await opened.enter_async_context(
            publisher(settings, engine.log, feed, leases, _nowhere, _noticed, spans)
        )
        await define(engine, read_models(engine, 1))
        tree, checkpoints = Tree(engine.database, leases, str(engine.log.log_id)), Checkpoints(engine.kept)
        auditing = await auditor(settings, engine, feed, leases, tree, checkpoints, _noticed)

        freshness = Freshness(
            engine.log, feed, leases, lambda generation: read_models(engine, generation), settings.read_timeout
        )
        metrics = Metrics()
        writer = _writer(settings, engine, feed, metrics, spans)
        watch = Watch(engine.look, engine.log, writer.gate, settings.max_clock_lead)
        await watch.begin()
        eraser = Eraser(engine.log, feed, settings.write_timeout, writer.gate)
        aggregates = Aggregates(engine.log, feed)
        definitions = TenantDefinitions(aggregates, settings.attributes)
        commands = Commands(engine.log, writer, aggregates, definitions)
        parts = Parts(
            settings=settings,
            authenticator=signing_in,
            log=engine.log,
            database=engine.database,
            pool_use=engine.pool_use,
            feed=feed,
            writer=writer,
            watch=watch,
            aggregates=aggregates,
            definitions=definitions,
            commands=commands,
            erasures=Erasures(engine.log, eraser, aggregates, commands),
            freshness=freshness,
            documents=Documents(engine.database, feed, freshness),
            lists=Lists(feed, freshness),
            histories=Histories(engine.log, feed),
            leases=leases,
            metrics=metrics,
            repeats=Repeats(),
            pages=EventPages(engine.log, feed, engine.database, freshness),
            tail=Tail(engine.log, feed, frame_of),
            proofs=Proofs(engine.log, feed, tree, checkpoints, auditing.notary if auditing is not None else None),
            rate_limit=RateLimit(settings.requests_per_tenant, settings.redis_url, settings.redis_ca_file),
            anonymous_limit=AnonymousLimit(settings.anonymous_rate_limit, settings.trusted_proxies),
            follower=_follower(engine, feed, leases, freshness, spans) if "projector" in settings.run else None,
            publisher=publishing,
            spans=spans,
            auditing=auditing,
            broken=asyncio.get_running_loop().create_future(),
        )
        if parts.follower is not None:
            freshness.hurry = parts.follower.hurry
        await freshness.look()
        async with _background(parts, engine):
            yield parts


def _noticed(event: str, what: str) -> None:
    _log.warning(event, detail=what)


def _nowhere(_lease: Lease, _position: int) -> None:
    """Nobody in this process waits for the streams."""


def _writer(settings: Settings, engine: Engine, feed: Feed, metrics: Metrics, spans: Spans | None) -> Writer:
    if spans is None:
        return Writer(engine.log, feed, settings.write_timeout, metrics.grouped)
    return TracedWriter(engine.log, feed, settings.write_timeout, metrics.grouped, spans)


def _follower(engine: Engine, feed: Feed, leases: Leases, freshness: Freshness, spans: Spans | None) -> Follower[Fact]:
    def moved(lease: Lease, position: int) -> None:
        freshness.moved(lease.epoch, lease.generation, position)
        engine.tell_read(f"{lease.epoch} {lease.generation} {position}")

    tables = Tables(engine.database, leases, lambda generation: read_models(engine, generation))
    return Follower(FOLLOWER, feed, traced(FOLLOWER, tables, spans), leases, moved, _noticed)


@asynccontextmanager
async def _background(parts: Parts, engine: Engine) -> AsyncIterator[None]:
    """The tasks that run beside the requests. The writer ends last, when everything that waits is committed."""
    engine.listen(lambda _: parts.feed.ring(), parts.freshness.heard)
    engine.on_loss(parts.doubt)
    writing = asyncio.create_task(parts.writer.run(), name="writer")
    essential: dict[str, Loop] = {"feed": parts.feed.run, "freshness": parts.freshness.run}
    if engine.bells is not None:
        essential["bells"] = partial(engine.bells.run, engine.log.log_id)
    others: dict[str, Loop] = {
        "tail": parts.tail.run,
        "watch": parts.watch.run,
        "summary of the log": parts.repeats.run,
    }
    if parts.follower is not None:
        others["follower"] = partial(_following, parts, parts.follower)
        others["expiry of kept tables"] = partial(expire, engine, parts.leases)
    if parts.publisher is not None:
        others["publisher"] = partial(_following, parts, parts.publisher.follower)
        if parts.publisher.trimming is not None:
            others["trimming"] = parts.publisher.trimming.run
    if parts.auditing is not None:
        others["auditor"] = partial(_following, parts, parts.auditing.follower)
        others["notary"] = parts.auditing.notary.run
        if parts.auditing.sampler is not None:
            others["sampler"] = parts.auditing.sampler.run
    tasks = [asyncio.create_task(ends_with(parts.broken, name, loop), name=name) for name, loop in essential.items()]
    tasks += [asyncio.create_task(begun_again(name, loop), name=name) for name, loop in others.items()]
    try:
        with parts.repeats.of_libraries(*CHATTY):
            yield
    finally:
        parts.writer.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await writing
        for task in tasks:
            task.cancel()
        # Giving the lease up early is a courtesy: a database that hangs does not keep the process.
        _, late = await asyncio.wait(tasks, timeout=RELEASE_SECONDS)
        for task in late:
            task.cancel()
        if late:
            _, late = await asyncio.wait(late, timeout=RELEASE_SECONDS)
        if late:
            _log.error("tasks_left", tasks=sorted(task.get_name() for task in late))
        # Whatever a task failed with was logged where it happened.
        await asyncio.gather(*(task for task in tasks if task.done()), return_exceptions=True)


async def _following(parts: Parts, follower: Follower[Any]) -> None:
    parts.stops.pop(follower.name, None)
    try:
        await follower.run()
    except Stopped as stopped:
        parts.stops[follower.name] = f"{follower.name}: {stopped}"
        _log.error("follower_stopped", follower=follower.name, reason=str(stopped))
    except Exception as error:
        parts.stops[follower.name] = f"{follower.name}: {type(error).__name__}"
        raise
