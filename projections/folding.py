"""Texts as they are compared: what reads the same is the same, however it was typed.

This starts from toNFKC_Casefold of the Unicode Standard (3.13): compatibility forms, full case folding, and nothing of
what cannot be seen. Beyond it go signs that people leave out: diacritics of Latin, Greek, Cyrillic, Arabic, Hebrew and
Syriac, strokes, the dot of i, tatweel. Vowel signs and viramas, the marks of kana and й are letters' own and stay.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

MAX_REMEMBERED: Final = 50_000
"""Characters that a table below remembers. There are a million, and most texts have a hundred of them."""
NAME_KEY: Final = 200
"""Characters of a name's key, as many as a name may have: there are signs that stand for eighteen letters, and a cursor
holds two keys."""


class _Block(NamedTuple):
    first: int
    last: int


def _blocks(ranges: str) -> list[_Block]:
    """Of `300-36F 670 …`, hexadecimal, both ends included."""
    ends = (one.partition("-") for one in ranges.split())
    return [_Block(int(first, 16), int(last or first, 16)) for first, _, last in ends]


def _within(code: int, blocks: Sequence[_Block]) -> bool:
    return any(first <= code <= last for first, last in blocks)


_INVISIBLE: Final = _blocks(
    "AD 34F 61C 640 7FA 115F-1160 17B4-17B5 180B-180F 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F FEFF FFA0 FFF0-FFF8"
    " 1BCA0-1BCA3 1D173-1D17A E0000-E0FFF"
)
"""Default_Ignorable_Code_Point, and what only makes a word longer in Arabic and N'Ko."""
_DIACRITICS: Final = _blocks(
    "300-36F 483-489 591-5C7 610-61A 64B-65F 670 6D6-6ED 711 730-74A 897-89F 8CA-8FF 1AB0-1AFF 1DC0-1DFF 20D0-20FF"
    " 2CEF-2CF1 2DE0-2DFF 302A-302F A66F-A67D A69E-A69F FB1E FE20-FE2F 10EFC-10EFF"
)
"""Blocks with the marks that a word is found without; what is no mark in them is not meant."""
_ALIKE: Final = {
    **dict(zip("øłđðħŧıȷ", "olddhtij", strict=True)), "æ": "ae", "œ": "oe", "þ": "th",
    # The keyboards of Persian and Urdu.
    "\u0649": "\u064a", "\u06cc": "\u064a", "\u06a9": "\u0643", "\u0671": "\u0627",
    # Malayalam, Bengali: one letter for a consonant with a virama and a joiner.
    "\u0d7a": "\u0d23\u0d4d", "\u0d7b": "\u0d28\u0d4d", "\u0d7c": "\u0d30\u0d4d", "\u0d7d": "\u0d32\u0d4d",
    "\u0d7e": "\u0d33\u0d4d", "\u0d7f": "\u0d15\u0d4d", "\u09ce": "\u09a4\u09cd",
    # Kana's marks as characters of their own, and what is typed for an apostrophe.
    "\u309b": "\u3099", "\u309c": "\u309a", **dict.fromkeys("ʹʻʼʽʾʿˈˊˋ‘’‛′ꞌ", "'"),
}  # fmt: skip
_OWN: Final = frozenset("йў")
"""Letters that are not the ones that they are without their mark."""


class _Signs(dict[int, str]):
    """What becomes of each character; of one that belongs to no word, `other`, or what it is."""

    def __init__(self, other: str | None) -> None:
        super().__init__()
        self._other = other

    def __missing__(self, code: int) -> str:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        sign = unicodedata.normalize("NFC", "".join(map(self._sign, _folded(chr(code)))))
        self[code] = sign
        return sign

    def _sign(self, character: str) -> str:
        code, kind = ord(character), unicodedata.category(character)
        if _within(code, _INVISIBLE) or (kind[0] == "M" and _within(code, _DIACRITICS)):
            return ""
        if kind == "Nd":
            return str(unicodedata.decimal(character))
        if kind[0] in "LM" or character == "_" or character.isalnum():
            return character
        return character if self._other is None else self._other


def _folded(character: str) -> str:
    """Its letters and marks, decomposed."""
    parts = unicodedata.normalize("NFKD", _ALIKE.get(character, character)).casefold()
    if unicodedata.normalize("NFC", parts) in _OWN:
        return unicodedata.normalize("NFC", parts)
    return "".join(_ALIKE.get(part, part) for part in parts)


_TEXT, _LETTERS = _Signs(None), _Signs(" ")
# Thai and Lao: a vowel that looks like another one twice.
_TWICE: Final = (("\u0e40\u0e40", "\u0e41"), ("\u0ec0\u0ec0", "\u0ec1"))
# Thai and Lao: the half of the vowel am that may be typed before or behind a tone.
_HALVES: Final = (
    ("\u0e4d", re.compile("\u0e4d([\u0e48-\u0e4b])(?=\u0e32)")),
    ("\u0ecd", re.compile("\u0ecd([\u0ec8-\u0ecb])(?=\u0eb2)")),
)


def key_of(text: str) -> str:
    """The same for texts that read the same. What people wrote is sorted by it, code point by code point."""
    return text.lower() if text.isascii() else _by(_TEXT, text) or text


def letters_of(text: str) -> str:
    """The same, with blanks for whatever belongs to no word."""
    return _by(_LETTERS, text)


def _by(signs: _Signs, text: str) -> str:
    text = unicodedata.normalize("NFC", text).translate(signs)
    for twice, once in _TWICE:
        text = text.replace(twice, once)
    for half, before_tone in _HALVES:
        if half in text:
            text = before_tone.sub(rf"\1{half}", text)
    return unicodedata.normalize("NFC", text)


def name_key(text: str | None) -> str:
    """The same of a name or of whoever reported it, as lists are sorted and narrowed by it."""
    return key_of(text)[:NAME_KEY] if text else ""
