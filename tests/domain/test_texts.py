"""Whether there is anything to see in a text, for every character that Unicode has."""

import sys
import unicodedata

import pytest

from domain.texts import is_seen

VISIBLE_FORMATS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
"""Format characters that have a glyph: Unicode's Prepended_Concatenation_Mark."""


def test_spaces_controls_and_formats_cannot_be_seen_and_what_has_a_glyph_can() -> None:
    wrong = []
    for code in range(1, sys.maxunicode + 1):
        kind = unicodedata.category(chr(code))
        if kind in ("Zs", "Zl", "Zp", "Cc") or (kind == "Cf" and code not in VISIBLE_FORMATS):
            expected = False
        elif kind in (
            "Lu",
            "Ll",
            "Lt",
            "Lm",
            "Nd",
            "Nl",
            "No",
            "Pc",
            "Pd",
            "Ps",
            "Pe",
            "Pi",
            "Pf",
            "Po",
            "Sm",
            "Sc",
            "Sk",
        ):
            expected = True
        else:
            continue
        if is_seen(chr(code)) is not expected:
            wrong.append(f"U+{code:04X}")
    assert wrong == []


@pytest.mark.parametrize(
    "blank",
    [
        "", "\u200b", "\u2800", "\u202e", "\u3164", "\u115f\u1160", "\uffa0", "\u00ad", "\ufeff", "\u180e",
        "\u2060\u2061",
        "\u034f", "\u17b4", "\ufe0f", "\U000e0041\U000e007f", "\U000e0100", "\U0001d159", "\u2065", "\ufff0", "\uffff",
        "\U0010fffe", "\ufdd0", "\ufffc", " \u200d\t\u3000",
    ],
)  # fmt: skip
def test_blanks_of_every_kind_are_nothing_to_see(blank: str) -> None:
    assert not is_seen(blank)
    assert not is_seen(blank * 1_000)
    assert is_seen(f"{blank}x")
    assert is_seen(f"é{blank}")


@pytest.mark.parametrize(
    "seen", ["a", "é", "東", "ก", "🔥", "\u0301", "\u2801", "\ue000", "-", "ﷺ", "\u06dd", "\u00a1", "👩‍🚒"]
)
def test_letters_marks_signs_and_pictures_are(seen: str) -> None:
    assert is_seen(seen)
