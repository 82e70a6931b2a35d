"""The key that checkpoints are signed with: a PEM file, made on the first start of a process that signs."""

from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from service.auth.errors import LocalKeyUnusable
from service.auth.secret_file import make_secret_file, read_secret_file

_log = structlog.get_logger(__name__)


def ensure_signing_key(path: Path) -> Ed25519PrivateKey:
    """The key in the file, made where there is none; raises LocalKeyUnusable."""
    try:
        if not path.exists():
            pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            make_secret_file(path, pem)
            _log.warning("checkpoint key made: keep a copy of this file where the database cannot", path=str(path))
        key = load_pem_private_key(read_secret_file(path), password=None)
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else "it does not hold a private key in PEM"
        raise LocalKeyUnusable(f"The checkpoint key {path} cannot be used: {reason}.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise LocalKeyUnusable(f"The checkpoint key {path} cannot be used: it is none of Ed25519.")
    return key
