"""The public keys that tokens are verified with, read from a JWK Set (RFC 7517), and the algorithms that are taken.

Only asymmetric algorithms: whoever can verify a token here must not be able to make one.
"""

from collections.abc import Iterator
from typing import Any, Self

import orjson
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import Key, import_key
from joserfc.jws import JWSRegistry

ALGORITHMS: dict[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
KEY_TYPES = frozenset(key_type for key_type, _ in ALGORITHMS.values())
PUBLIC_MEMBERS = frozenset({"kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e"})
MAX_KEYS = 100
MAX_TRIED = 10  # keys for one token
MIN_RSA_MODULUS = 342  # base64url characters of 2,048 bits

log = structlog.get_logger(__name__)


class PinnedAlgorithms(JWSRegistry):
    """The library's own registry would warn at each token about `EdDSA`, a name that most issuers still use."""

    max_header_length = 4096
    max_payload_length = 128 * 1024
    max_signature_length = 2048

    def __init__(self) -> None:
        super().__init__(algorithms=list(ALGORITHMS), strict_check_header=False)
        self._pinned = {name: self.algorithms[name] for name in ALGORITHMS}

    def get_alg(self, name: str) -> JWSAlgModel:
        return self._pinned[name]


class KeyRing:
    """Keys that may verify signatures; two rings are equal when they hold the same keys, in any order."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys
        self._without_id = {id(key) for key in keys if key.kid is None}
        for key in keys:
            key.ensure_kid()
        self._content = frozenset(orjson.dumps(key.as_dict(private=False), option=orjson.OPT_SORT_KEYS) for key in keys)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Keys of other types and uses, and those that cannot be read, are left out; raises ValueError where the text
        is not a JWK Set."""
        match orjson.loads(text):
            case {"keys": list(entries)} if len(entries) <= MAX_KEYS:
                return cls(list(_usable(entries)))
            case {"keys": list()}:
                raise ValueError(f"more than {MAX_KEYS} keys")
            case _:
                raise ValueError("not a JWK Set: there is no list named `keys`")

    def __len__(self) -> int:
        return len(self._keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyRing) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def knows(self, kid: str | None) -> bool:
        """Whether looking for newer keys is pointless for a token that names this key."""
        return kid is None or any(key.kid == kid for key in self._keys)

    def find(self, algorithm: str, kid: str | None) -> list[Key]:
        """The keys that a token may be signed with, MAX_TRIED at most: those of the id that it names, else those that
        the issuer gave no id; all where it names none."""
        fitting = [key for key in self._keys if _fits(key, algorithm)]
        if kid is not None:
            named = [key for key in fitting if key.kid == kid]
            fitting = named or [key for key in fitting if id(key) in self._without_id]
        return fitting[:MAX_TRIED]


def _fits(key: Key, algorithm: str) -> bool:
    key_type, curve = ALGORITHMS[algorithm]
    return key.key_type == key_type and key.get("crv") == curve and key.get("alg") in {None, algorithm}


def _usable(entries: list[Any]) -> Iterator[Key]:
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kty") not in KEY_TYPES or entry.get("use", "sig") != "sig":
            continue
        if entry["kty"] == "RSA" and len(str(entry.get("n"))) < MIN_RSA_MODULUS:
            log.warning("key ignored: an RSA key of less than 2048 bits", kid=entry.get("kid"))
            continue
        try:
            key = import_key({name: value for name, value in entry.items() if name in PUBLIC_MEMBERS})
            key.check_key_op("verify")
        except (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("key ignored: it cannot be read", kid=entry.get("kid"), error=str(error))
            continue
        if key.get("crv") in {None, *(curve for _, curve in ALGORITHMS.values())}:
            yield key
