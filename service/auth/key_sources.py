"""Where keys come from: the local key, a file, or an issuer. A source keeps a ring of keys and renews it by itself.

A ring that changes is replaced by another object, never altered, and whoever reads it is told at once.
"""

import asyncio
import contextlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import aiohttp
import orjson
import structlog

from service.auth.key_ring import KeyRing

ISSUER_REFRESH = 300.0  # seconds between two looks at an issuer's keys
FILE_REFRESH = 5.0  # seconds between two looks at a file
RETRY = 5.0  # seconds after a look that failed
GAP = 5.0  # seconds at least between two looks that requests cause, however many name an unknown key
FETCH_TIMEOUT = 4.0  # seconds for discovery and keys together
MAX_DOCUMENT = 256 * 1024  # bytes
DISCOVERY_PATH = "/.well-known/openid-configuration"

log = structlog.get_logger(__name__)


def _nothing() -> None:
    """Nobody remembers anything of these keys."""


class KeySource(Protocol):
    changed: Callable[[], None]
    """Called when the ring was replaced."""

    @property
    def name(self) -> str: ...

    @property
    def ring(self) -> KeyRing | None:
        """The keys of now; None where they were never within reach."""

    @property
    def error(self) -> str | None:
        """Why the last look failed, None where it did not."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def look_for(self, kid: str | None) -> None:
        """Renews the keys where the named one is not among them, unless that was tried a moment ago."""

    async def look_again(self) -> None:
        """Renews the keys, unless that was tried a moment ago."""


class FixedKeys:
    """Keys that do not change while the process runs."""

    error = None

    def __init__(self, name: str, ring: KeyRing) -> None:
        self.name = name
        self.ring: KeyRing | None = ring
        self.changed: Callable[[], None] = _nothing

    async def start(self) -> None:
        """There is nothing to renew."""

    async def stop(self) -> None:
        """There is nothing to renew."""

    async def look_for(self, kid: str | None) -> None:
        """There are no other keys."""

    async def look_again(self) -> None:
        """There are no other keys."""


class RenewedKeys(ABC):
    """Looks by itself every so often, and when a token names an unknown key; keeps its keys while looking fails."""

    def __init__(self, name: str, refresh: float, gap: float, retry: float) -> None:
        self.name = name
        self.ring: KeyRing | None = None
        self.error: str | None = None
        self.changed: Callable[[], None] = _nothing
        self._refresh = refresh
        self._gap = gap
        self._retry = retry
        self._looked_at = -gap
        self._look: asyncio.Task[None] | None = None
        self._loop: asyncio.Task[None] | None = None

    @abstractmethod
    async def fetch(self) -> KeyRing:
        """Raises OSError (a TimeoutError is one), ValueError or aiohttp.ClientError where the keys cannot be had."""

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._keep_looking(), name=f"keys of {self.name}")

    async def stop(self) -> None:
        for task in (self._loop, self._look):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def look_for(self, kid: str | None) -> None:
        if self.ring is None or not self.ring.knows(kid):
            await self.look_again()

    async def look_again(self) -> None:
        if self._looking or time.monotonic() - self._looked_at >= self._gap:
            await self._look_once()

    @property
    def _looking(self) -> bool:
        return self._look is not None and not self._look.done()

    async def _keep_looking(self) -> None:
        while True:
            await self._look_once()
            await asyncio.sleep(self._retry if self.error else self._refresh)

    async def _look_once(self) -> None:
        # One look serves all that wait for it, and outlives a client that goes away.
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._renew())
        await asyncio.shield(self._look)

    async def _renew(self) -> None:
        try:
            ring = await self.fetch()
        except (OSError, ValueError, aiohttp.ClientError) as error:
            text = _told(error)
            if text != self.error:
                log.warning("keys cannot be renewed", source=self.name, error=text, kept=len(self.ring or ()))
            self.error = text
        else:
            if self.error or ring != self.ring:
                log.info("keys renewed", source=self.name, keys=len(ring))
            self.error = None
            if ring != self.ring:
                self.ring = ring
                self.changed()
        finally:
            self._looked_at = time.monotonic()


class KeyFile(RenewedKeys):
    """A JWKS file, read again when it changes; ValueError or OSError at the start where it cannot be read."""

    def __init__(self, path: Path, refresh: float = FILE_REFRESH, gap: float = GAP) -> None:
        super().__init__(str(path), refresh, gap, retry=refresh)
        self._path = path
        self._state: tuple[int, ...] = ()
        self.ring = self._read()

    async def fetch(self) -> KeyRing:
        return await asyncio.to_thread(self._read)

    def _read(self) -> KeyRing:
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if self.ring is not None and state == self._state:
                return self.ring
            text = file.read(MAX_DOCUMENT + 1)
        if len(text) > MAX_DOCUMENT:
            raise ValueError(f"more than {MAX_DOCUMENT} bytes")
        ring = KeyRing.read(text)
        self._state = state
        return ring


class Issuer(RenewedKeys):
    """The keys of an OpenID provider, found by discovery (OpenID Connect Discovery 4) or at an address that is set."""

    def __init__(
        self, issuer: str, jwks_url: str = "", refresh: float = ISSUER_REFRESH, gap: float = GAP, retry: float = RETRY
    ) -> None:
        super().__init__(issuer, refresh, gap, retry)
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), headers={"Accept": "application/json", "Accept-Encoding": "identity"}
        )
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        if self._session is not None:
            await self._session.close()

    async def fetch(self) -> KeyRing:
        async with asyncio.timeout(FETCH_TIMEOUT):
            return KeyRing.read(await self._get(self._jwks_url or await self._discover()))

    async def _discover(self) -> str:
        match orjson.loads(await self._get(self._issuer.rstrip("/") + DISCOVERY_PATH)):
            case {"issuer": self._issuer, "jwks_uri": str(url)} if "@" in url:
                raise ValueError("the discovery document's jwks_uri holds a user or a password")
            case {"issuer": self._issuer, "jwks_uri": str(url)}:
                return url
            case {"issuer": self._issuer}:
                raise ValueError("the discovery document has no jwks_uri")
            case {"issuer": str(other)}:
                raise ValueError(f"the discovery document is of the issuer {other[:200]!r}, to the letter")
            case _:
                raise ValueError("the discovery document names no issuer")

    async def _get(self, url: str) -> bytes:
        if self._session is None:
            raise ValueError("not started")
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError(f"{_shown(url)} answered {response.status}")
            text = bytearray()
            async for chunk in response.content.iter_any():
                text += chunk
                if len(text) > MAX_DOCUMENT:
                    raise ValueError(f"{_shown(url)} answered more than {MAX_DOCUMENT} bytes")
            return bytes(text)


def _told(error: Exception) -> str:
    """Addresses are shown here; those that are none, the library would show whole."""
    if isinstance(error, aiohttp.InvalidURL):
        return "the address of the keys is not a URL"
    return str(error) or type(error).__name__


def _shown(url: str) -> str:
    """Without its query, where some providers have a key."""
    return url.partition("?")[0].partition("#")[0]
