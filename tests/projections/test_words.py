"""Words are found in the same way in every text."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.rules import DETAILS, Text
from projections.words import parts_of, words_in, words_of

ASCII = "".join(map(chr, range(128)))
SIGNS = "aZé\u0301_-.'*1٤ ßİ 障害ガｶﾞー々カ゛서버ㅋระบบล่มน้ำเแမြန်မာខ្មែរमुंबईالخِدْمَة\u200d\u00ad🔥"
texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(SIGNS))


def found(query: str, *text: str) -> bool:
    """As a list is asked: every part is in what is kept of the text, and there is one."""
    kept, parts = words_of(*text), parts_of(query)
    return bool(parts) and all(part in kept for part in parts)


@pytest.mark.parametrize("text", ["", ASCII, ASCII[::-1], "A_b-C 1\x1f2\t", *(f"a{sign}B" for sign in ASCII)])
def test_the_words_of_a_plain_text_are_its_letters_digits_and_underlines(text: str) -> None:
    assert words_in(text) == re.findall(r"\w+", text.casefold())
    assert {*words_in(f"{text} é")} == {*words_in(text), "e"}


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("重大な障害が発生", ["障害", "害", "障*", "重大な障害が発生", "発生 障害", "障害*"]),
        ("API障害の報告", ["api", "障害", "API障害", "障害 報告", "ａｐｉ", "ap*", "障害＊"]),
        ("障害_API_報告", ["api", "報告", "障害_API_報告"]),
        ("生产数据库已宕机", ["数据库", "库", "数据库宕机 生产"][:2]),
        ("データベースサーバー", ["サーバー", "ﾃﾞｰﾀ", "テ\u3099ータ", "ベース"]),
        ("人々", ["々", "人々"]),
        ("第3回会議", ["第3回", "会議", "3"]),
        ("네트워크장애가 발생", ["장애", "네트워크", "발생", "장애*"]),
        ("เกิดระบบล่มแล้ว", ["ระบบ", "ล่ม", "ระบบล่ม", "เกิด", "เก*", "ระบบ*"]),
        ("ມີບັນຫາລະບົບ", ["ລະບົບ", "ບັນຫາ"]),
        ("ប្រព័ន្ធខូច", ["ខូច", "ប្រព័ន្ធ"]),
        ("ဆာဗာပျက်နေသည်", ["ပျက်", "ဆာဗာ"]),
        ("मुंबई में सर्वर", ["मुंबई", "सर्वर", "मुं*"]),
        ("சேவை தடங்கல்", ["சேவை", "தட*"]),
        ("srv-db-01 10.0.0.1 user@example.com mail_server", ["srv-db-01", "10.0.0.1", "example.com", "mail_*", "db"]),
        ("don’t l'eau", ["don't", "eau", "donʼt"]),
        ("Tu\u0308r zu", ["Tür", "tu\u0308*", "TÜ*", "tur"]),
        ("cafe\u0301", ["café", "cafe", "caf*", "cafe\u0301*"]),
        ("soft\u00adware ver\u200bsion", ["software", "version"]),
        ("CO₂ x² ① №5", ["co2", "x2", "1", "no5"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_text_is_found_by(text: str, queries: list[str]) -> None:
    assert [query for query in queries if not found(query, text)] == []


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("障害報告 害悪", ["害報告書", "報害", "障報"]),  # each pair of characters may be there, the run is not
        ("障害 報告", ["害報", "障害報告"]),
        ("データ", ["テータ", "ハース"]),
        ("เปิดระบบ", ["ปิด", "ที", "รบ"]),
        ("ที่นี่", ["ที", "นี"]),
        ("ខ្មែរ", ["មែ", "ម"]),
        ("मुंबई", ["मु", "म", "बई", "मुंब"]),
        ("mail_server", ["mail", "server"]),
        ("Zürich", ["Zur", "rich", "ü"]),
        ("война", ["воина"]),
        ("anything", ["🔥", "---", "*", "", " ", "\u0301", "\u200d", "%", "_%_"[1:2], "* *", "…"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_text_is_not_found_by(text: str, queries: list[str]) -> None:
    assert [query for query in queries if found(query, text)] == []


def test_a_run_that_ends_with_a_text_does_not_go_on_in_the_next() -> None:
    assert words_of("障害", "報告") == " 障害 報告 "
    assert words_of("ล่ม", "ระบบ") == " .ล่.ม. .ร.ะ.บ.บ. "


@given(text=texts)
@example("เ เ")
@example("か\u309a _障害_ __")
@example("a*b* *c ม*น")
def test_every_text_is_found_by_what_it_says(text: str) -> None:
    words = text.split()
    assert all(found(word, *words) for word in words if parts_of(word))
    assert not parts_of(text) or found(text, text)
    assert not words_in(text) or parts_of(text)


@given(text=texts)
def test_words_are_the_same_in_every_form(text: str) -> None:
    composed, apart = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert words_of(composed) == words_of(apart) == words_of(text)
    assert parts_of(composed) == parts_of(apart) == parts_of(text)


@given(text=texts, end=st.integers(min_value=1))
def test_a_word_is_found_by_its_beginning(text: str, end: int) -> None:
    for word in words_in(text):
        if not word.startswith("."):
            beginning = word[: 1 + end % len(word)]
            assert not parts_of(beginning) or found(f"{beginning}*", text)


def test_the_words_of_the_longest_text_are_no_longer_than_twice_the_text() -> None:
    rule = DETAILS["description"]
    assert isinstance(rule, Text)
    for character in ("障", "서", "a ", "ม", "ที่"):
        text = (character * rule.limit)[: rule.limit]
        assert len(words_of(text)) <= 2 * rule.limit + 4
