"""Signed notes as C2SP has them (c2sp.org/signed-note): text, an empty line, a line for each signature; Ed25519."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ED25519: Final = b"\x01"
"""The signature type, before the public key."""
_ID_BYTES: Final = 4
_MARK: Final = "\N{EM DASH} "


class NoteInvalid(Exception):
    """Not a signed note, not a key, or not signed with any key that is trusted; the text says which."""


class Verifier(NamedTuple):
    """A public key with the name that its signatures bear."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Tells keys of one name apart."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    @property
    def text(self) -> str:
        """As other tools take it: `name+id+key`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def of(cls, text: str) -> "Verifier":
        """Raises NoteInvalid."""
        name, _, rest = text.strip().partition("+")
        id_, _, key = rest.partition("+")
        try:
            kind, public = _split(base64.b64decode(key, validate=True), len(_ED25519))
            found = cls(name, public)
            Ed25519PublicKey.from_public_bytes(public)
        except (ValueError, binascii.Error):
            raise NoteInvalid("a public key has the form name+id+key") from None
        if not name or kind != _ED25519 or found.id.hex() != id_:
            raise NoteInvalid("the public key is none of Ed25519, or its id is another one")
        return found

    def holds(self, signature: bytes, text: str) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key with the name that its signatures bear."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = Verifier(name, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, text: str) -> str:
        """The note; `text` ends with a line feed."""
        signature = base64.b64encode(self.verifier.id + self._key.sign(text.encode())).decode()
        return f"{text}\n{_MARK}{self.verifier.name} {signature}\n"


def text_of(note: str) -> str:
    """What was signed, whoever signed it. Raises NoteInvalid."""
    return _taken_apart(note)[0]


def opened(note: str, verifiers: Iterable[Verifier]) -> str:
    """The text that one of these keys signed. Raises NoteInvalid; signatures of other keys do not count."""
    text, signatures = _taken_apart(note)
    known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
    found = [(known[name, id_], signature) for name, id_, signature in signatures if (name, id_) in known]
    if not found:
        raise NoteInvalid("it is not signed with a key that is known")
    for verifier, signature in found:
        if not verifier.holds(signature, text):
            raise NoteInvalid(f"the signature of {verifier.name} does not hold")
    return text


def _taken_apart(note: str) -> tuple[str, Sequence[tuple[str, bytes, bytes]]]:
    text, empty, lines = note.rpartition("\n\n")
    if not empty or not lines.endswith("\n"):
        raise NoteInvalid("it is not a signed note: text, an empty line, a line for each signature")
    return text + "\n", [_signature(line) for line in lines.removesuffix("\n").split("\n")]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    try:
        id_, signature = _split(base64.b64decode(encoded, validate=True), _ID_BYTES)
    except binascii.Error:
        signature = b""
    if not line.startswith(_MARK) or not name or not signature:
        raise NoteInvalid("a line of a signature is \N{EM DASH} name base64")
    return name, id_, signature


def _split(data: bytes, at: int) -> tuple[bytes, bytes]:
    return data[:at], data[at:]
