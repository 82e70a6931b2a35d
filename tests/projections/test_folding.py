"""Texts that read the same have one key, and a key is its own."""

import unicodedata
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from projections.folding import MAX_REMEMBERED, NAME_KEY, _Signs, key_of, letters_of, name_key

FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")
MANY = (range(0x3500, 0x9F00), range(0xAD00, 0xD700), range(0x16000, 0x1CF00))
"""Han, Hangul and others of which one is like the next."""
ASSIGNED = [
    chr(code)
    for code in range(0x20000)
    if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co") and not any(code in block for block in MANY)
]
SET_APART = ("\u309b", "\u309c")
"""Kana's marks as characters of their own: of these NFKC makes a blank and a mark."""

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("ıİßςΣй\u0301\u0345\u0e4d\u0e49\u0e32ｶﾞ가각"))


@pytest.mark.parametrize(
    "alike",
    [
        ["Zürich", "ZÜRICH", "Zu\u0308rich", "zurich", "Zürich\u00ad", "Ｚｕｒｉｃｈ"],
        ["İstanbul", "istanbul", "ISTANBUL", "ıstanbul", "I\u0307stanbul"],
        ["IŞIK", "ışık", "isik"],
        ["Straße", "STRASSE", "STRAẞE", "strasse"],
        ["ΟΔΟΣ", "οδός", "οδοσ", "Οδος"],
        ["Ёлка", "елка", "Е\u0308лка"],
        ["ру\u0301сский", "Русский", "РУССКИИ\u0306"],
        ["Łódź", "lodz", "ŁÓDŹ"],
        ["Ærø", "aero", "ÆRØ"],
        ["الخِدْمَة", "الخدمة", "الخـــدمة", "ﺍﻟﺨﺪﻣﺔ"],
        ["أحمد", "احمد"],
        ["سرویس یک", "سرويس يك"],
        ["שָׁלוֹם", "שלום", "\ufb2aלום"],
        ["Đà Nẵng", "da nang", "Đà Nẵng"],
        ["ﬁle", "file", "FILE"],
        ["ガラス", "ｶﾞﾗｽ", "カ\u3099ラス", "カ゛ラス"],
        ["서버", "\u1109\u1165\u1107\u1165"],
        ["ＡＰＩ障害", "API障害", "api障害"],
        ["٤٢", "४२", "42", "４２", "๔๒"],
        ["น้ำ", "นํ้า", "น\u0e49\u0e4d\u0e32"],
        ["แดง", "เเดง"],
        ["O’Neil", "O'Neil", "OʼNeil"],
        ["ക്ഷൻ", "ക്ഷന്\u200d"],
        ["क्\u200dष", "क्ष"],
        ["⽕山", "火山"],
        ["👩\u200d🚒", "👩🚒"],
    ],
    ids=lambda alike: alike[0],
)
def test_what_reads_the_same_has_one_key(alike: list[str]) -> None:
    assert len({key_of(text) for text in alike}) == 1, [key_of(text) for text in alike]
    assert len({letters_of(text) for text in alike}) == 1


@pytest.mark.parametrize(
    "unlike",
    [
        ["ガラス", "カラス"], ["ば", "ぱ", "は"], ["मुंबई", "मबई", "मुबई"], ["ที", "ที่", "ที้"], ["мой", "мои"],
        ["কি", "কী", "ক"], ["a b", "ab"], ["o'neil", "oneil"], ["ひ", "ヒ"], ["", "🔥"], ["தமிழ்", "தமழ"],
    ],
    ids="-".join,
)  # fmt: skip
def test_what_is_another_letter_has_another_key(unlike: list[str]) -> None:
    assert len({key_of(text) for text in unlike}) == len(unlike)


def test_each_character_has_one_key_in_every_form_and_case() -> None:
    for character in ASSIGNED:
        for function in (key_of, letters_of):
            key = function(character)
            assert not key or function(key) == key, ascii(character)
        if character not in SET_APART:
            assert {letters_of(unicodedata.normalize(form, character)) for form in FORMS} == {letters_of(character)}
        assert {letters_of(character.upper()), letters_of(character.casefold())} == {letters_of(character)}


@given(text=texts)
@example("и\u0301\u0306")
@example("ᾳ\u0301")
@example("\u1100\u200d\u1161")
def test_a_text_has_one_key_however_it_is_composed(text: str) -> None:
    assert key_of(unicodedata.normalize("NFC", text)) == key_of(text) == key_of(unicodedata.normalize("NFD", text))
    assert key_of(key_of(text)) == key_of(text)


@given(plain=st.text(st.characters(max_codepoint=127), min_size=1))
def test_the_quick_way_of_plain_texts_gives_the_same(plain: str) -> None:
    assert key_of(f"{plain}\u00ad") == key_of(plain)


@given(text=texts.filter(bool))
def test_no_text_has_the_key_of_none(text: str) -> None:
    assert key_of(text)


def test_the_key_of_a_name_is_no_longer_than_a_name_may_be() -> None:
    assert name_key("\ufdfa" * NAME_KEY) == key_of("\ufdfa" * NAME_KEY)[:NAME_KEY]
    assert name_key(None) == name_key("") == ""


def test_so_many_characters_are_remembered_and_no_more() -> None:
    signs = _Signs(None)
    for code in range(0x10000, 0x10000 + MAX_REMEMBERED + 10):
        assert signs[code] == signs[code]
    assert len(signs) == 10
