"""The signing key of an installation without an OpenID provider: one file in the data directory, made when needed."""

from functools import lru_cache
from pathlib import Path

import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from service.auth.errors import LocalKeyUnusable
from service.auth.key_ring import KeyRing
from service.auth.secret_file import make_secret_file, read_secret_file

# Of the algorithms that are taken, RSA verifies fastest: twice as fast as ES256, three times as fast as Ed25519.
ALGORITHM = "RS256"
KEY_BITS = 2048
ISSUER = "urn:ims:local"
AUDIENCE = "urn:ims:local:api"
FILE_NAME = "signing-key.json"

log = structlog.get_logger(__name__)


def key_file(data_dir: Path) -> Path:
    return data_dir / FILE_NAME


def ensure_local_key(data_dir: Path) -> RSAKey:
    """The key in the data directory, made where there is none; raises LocalKeyUnusable."""
    path = key_file(data_dir)
    try:
        if not path.exists():
            _make(path)
            log.warning("signing key made: whoever can read this file can sign in as anybody", path=str(path))
        return _read(path)
    except (OSError, ValueError, TypeError, KeyError, JoseError) as error:
        # The text of the error could quote the file; its kind is enough beside the name.
        reason = (
            error.strerror or str(error)
            if isinstance(error, OSError)
            else "it does not hold an RSA key with its private part"
        )
        raise LocalKeyUnusable(f"The signing key {path} cannot be used: {reason}.") from None


def existing_local_key(data_dir: Path) -> RSAKey:
    """The key that the service made; raises LocalKeyUnusable, which names the folder, where there is none."""
    path = key_file(data_dir)
    if not path.exists():
        raise LocalKeyUnusable(
            f"There is no signing key in {data_dir.absolute()}; none is made, for the service would refuse its tokens. "
            "Run this in the folder that the service runs in, or set IMS_DATA_DIR to its data folder; the service "
            "makes the key at its first start."
        )
    return ensure_local_key(data_dir)


def public_ring(key: RSAKey) -> KeyRing:
    return KeyRing([RSAKey.import_key(key.as_dict(private=False))])


def _read(path: Path) -> RSAKey:
    return _key_of(read_secret_file(path))


@lru_cache(maxsize=1)  # to prove that the numbers are a key takes 36 ms, and a start asks for it twice
def _key_of(document: bytes) -> RSAKey:
    key = RSAKey.import_key(orjson.loads(document))
    if not key.is_private:
        raise ValueError("no private part")
    key.ensure_kid()
    return key


def _make(path: Path) -> None:
    key = RSAKey.generate_key(KEY_BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    make_secret_file(path, orjson.dumps(key.as_dict(private=True)))
