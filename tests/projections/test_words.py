"""Words are found in the same way in every text."""

import re

import pytest

from projections.words import words_in

ASCII = "".join(map(chr, range(128)))


@pytest.mark.parametrize("text", ["", ASCII, ASCII[::-1], "A_b-C 1\x1f2\tÄ ß", *(f"a{sign}B" for sign in ASCII)])
def test_the_words_of_a_text_are_what_the_pattern_finds_in_it(text: str) -> None:
    assert words_in(text) == re.findall(r"\w+", text.casefold())
