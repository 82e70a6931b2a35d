"""The signing key of an installation without an OpenID provider: one file in the data directory, made when needed."""

import os
import secrets
from pathlib import Path

import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from service.auth.errors import LocalKeyUnusable
from service.auth.key_ring import KeyRing

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
        reason = error.strerror if isinstance(error, OSError) else "it does not hold an RSA key with its private part"
        raise LocalKeyUnusable(f"The signing key {path} cannot be used: {reason}.") from None


def public_ring(key: RSAKey) -> KeyRing:
    return KeyRing([RSAKey.import_key(key.as_dict(private=False))])


def _read(path: Path) -> RSAKey:
    if path.stat().st_mode & 0o077:
        log.warning("the signing key can be read by others: set its mode to 0600", path=str(path))
    key = RSAKey.import_key(orjson.loads(path.read_bytes()))
    if not key.is_private:
        raise ValueError("no private part")
    key.ensure_kid()
    return key


def _make(path: Path) -> None:
    """The whole file appears at once under its name, and of two processes that make one at once both get the same."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = RSAKey.generate_key(KEY_BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(key.as_dict(private=True)))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
