"""An OpenID provider for tests: discovery, keys that rotate, tokens of any claims; it counts what it is asked."""

import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, Key

AUDIENCE = "ims"


class OidcIssuer:
    """`async with OidcIssuer() as issuer`; `issuer.up = False` cuts every connection until it is True again."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.up = True
        self.requests: Counter[str] = Counter()
        self.discovery: dict[str, object] = {}
        self.jwks_text: bytes | None = None
        self.url = ""
        self.add_key("first")
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self._discover)
        application.router.add_get("/jwks", self._jwks)
        self._runner = web.AppRunner(application)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.discovery = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def add_key(self, kid: str, key: Key | None = None) -> Key:
        """New tokens are signed with the key that was added last."""
        self.keys.pop(kid, None)
        self.keys[kid] = key or ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})
        return self.keys[kid]

    def claims(self, **claims: Any) -> dict[str, Any]:
        """Those of a good token, others in their place; None leaves one out."""
        now = int(time.time())
        good: dict[str, Any] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "u-1",
            "name": "Ann Example",
            "iat": now,
            "exp": now + 300,
            "typ": "Bearer",
            "active_tenant": {"tenant_id": "acme", "roles": []},
        }
        return {name: value for name, value in (good | claims).items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, key: Key | None = None, **claims: Any) -> str:
        kid, newest = list(self.keys.items())[-1]
        key = key or newest
        return signed(key, self.claims(**claims), {"alg": key.get("alg"), "kid": kid} | (header or {}))

    def bearer(self, header: dict[str, Any] | None = None, key: Key | None = None, **claims: Any) -> str:
        """As it stands in the Authorization header."""
        return f"Bearer {self.token(header, key, **claims)}"

    def jwks(self) -> bytes:
        return orjson.dumps({"keys": [key.as_dict(private=False) for key in self.keys.values()]})

    async def _discover(self, request: web.Request) -> web.Response:
        return self._answer(request, orjson.dumps(self.discovery))

    async def _jwks(self, request: web.Request) -> web.Response:
        return self._answer(request, self.jwks_text if self.jwks_text is not None else self.jwks())

    def _answer(self, request: web.Request, body: bytes) -> web.Response:
        self.requests[request.path] += 1
        if not self.up and request.transport is not None:
            request.transport.abort()
        return web.Response(body=body, content_type="application/json")


def signed(key: Key, claims: dict[str, Any], header: dict[str, Any]) -> str:
    """Header members that are None are left out."""
    header = {name: value for name, value in header.items() if value is not None}
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])
