"""Tokens for the servers beside the service: a verified one is remembered for 60 s, as the service does."""

import json
from pathlib import Path
from time import time

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

ALGORITHM = "ES256"
REMEMBERED = 60  # seconds
VALID = 3600  # seconds
MAX_REMEMBERED = 10_000  # tokens


class InvalidToken(Exception):
    """The signature does not hold, the token has expired, or it names no tenant."""


def new_key() -> ECKey:
    return ECKey.generate_key("P-256")


def token(key: ECKey) -> str:
    now = int(time())
    claims = {
        "sub": "bench",
        "name": "System Admin",
        "iat": now,
        "exp": now + VALID,
        "active_tenant": {"tenant_id": "bench", "roles": ["tenant-admin"]},
    }
    return jwt.encode({"alg": ALGORITHM}, claims, key)


class Verifier:
    """`key_file` holds the public key, a JWK. `user` gives a header's tenant and name; raises InvalidToken."""

    def __init__(self, key_file: Path) -> None:
        self._key = ECKey.import_key(json.loads(key_file.read_text()))
        self._registry = jwt.JWTClaimsRegistry(exp={"essential": True}, sub={"essential": True})
        self._verified: dict[str, tuple[float, tuple[str, str]]] = {}

    def user(self, authorization: str) -> tuple[str, str]:
        until, user = self._verified.get(authorization, (0.0, ("", "")))
        return user if time() < until else self._verify(authorization)

    def _verify(self, authorization: str) -> tuple[str, str]:
        try:
            claims = jwt.decode(authorization.removeprefix("Bearer "), self._key, algorithms=[ALGORITHM]).claims
            self._registry.validate(claims)
            user = (str(claims["active_tenant"]["tenant_id"]), str(claims.get("name", claims["sub"])))
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise InvalidToken from error
        if len(self._verified) >= MAX_REMEMBERED:
            self._verified.clear()
        self._verified[authorization] = (min(time() + REMEMBERED, float(claims["exp"])), user)
        return user
