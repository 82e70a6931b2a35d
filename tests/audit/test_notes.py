"""Signed notes and checkpoints, against a note and keys that others published."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.audit.checkpoint import checkpoint_of, signed, verified
from service.audit.notes import NoteInvalid, Signer, Verifier, opened

# From the documentation of golang.org/x/mod/sumdb/note, where the form comes from.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""


@pytest.fixture
def signer() -> Signer:
    return Signer("ims/example", Ed25519PrivateKey.generate())


def test_a_published_note_is_opened_with_the_published_key() -> None:
    text = opened(PUBLISHED_NOTE, [Verifier.of(PUBLISHED_KEY)])
    assert text == PUBLISHED_NOTE.split("\n\n", maxsplit=1)[0] + "\n"
    assert Verifier.of(PUBLISHED_KEY).text == PUBLISHED_KEY


def test_a_published_note_that_was_changed_is_not_opened() -> None:
    with pytest.raises(NoteInvalid, match="does not hold"):
        opened(PUBLISHED_NOTE.replace("answer", "question"), [Verifier.of(PUBLISHED_KEY)])


def test_a_checkpoint_is_three_lines_signed_by_a_key_of_the_logs_name(signer: Signer) -> None:
    root = bytes(range(32))
    made = signed(signer, 1234, root)
    text, _, signature = made.note.rpartition("\n\n")
    assert text == f"ims/example\n1234\n{base64.b64encode(root).decode()}"
    mark, name, encoded = signature.split()
    assert (mark, name) == ("—", "ims/example")
    # Taken apart by hand, with nothing of the service: the first four bytes are the key's id.
    public = base64.b64decode(signer.verifier.text.split("+", 2)[2])[1:]
    decoded = base64.b64decode(encoded)
    assert decoded[:4].hex() == signer.verifier.text.split("+")[1]
    Ed25519PublicKey.from_public_bytes(public).verify(decoded[4:], (text + "\n").encode())


def test_a_checkpoint_is_read_as_it_was_made(signer: Signer) -> None:
    made = signed(signer, 0, bytes(32))
    assert verified(made.note, [signer.verifier]) == made == checkpoint_of(made.note)


def test_signatures_of_others_do_not_count(signer: Signer) -> None:
    note = signed(signer, 7, bytes(32)).note
    other = Signer("ims/example", Ed25519PrivateKey.generate())
    with pytest.raises(NoteInvalid, match="not signed with a key that is known"):
        verified(note, [other.verifier])
    both = note + other.sign("ims/example\n7\n").rpartition("\n\n")[2]
    assert verified(both, [signer.verifier]).size == 7


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a\n1\n\n",
        "ims/x\n01\nAAAA\n\n— k AAAAAAAA\n",
        "ims/x\n1\n\n— k AAAAAAAA\n",
        "ims/x\n1\nAAAA\n\n- k AAAAAAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        checkpoint_of(text)


@pytest.mark.parametrize("text", ["", "a", "a+b", "a+00000000+AAAA", PUBLISHED_KEY.replace("c7", "c8"), "a+b+é"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        Verifier.of(text)


def test_a_key_is_known_by_its_name_too() -> None:
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert Verifier("ims/a", public).id != Verifier("ims/b", public).id
