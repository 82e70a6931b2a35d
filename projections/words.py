"""The words of a text, for searching: found by these functions alone, so that both engines agree."""

import re

_word = re.compile(r"\w+")
_wanted = re.compile(r"(\w+)(\*?)")


def words_of(*texts: str) -> str:
    """The distinct case-folded words of the texts, each between two blanks."""
    found = dict.fromkeys(_word.findall(" ".join(texts).casefold()))
    return f" {' '.join(found)} "


def patterns_of(query: str) -> list[str]:
    """LIKE patterns (escape character `\\`) for `words_of`, one for each word of the query; `word*` is a prefix."""
    return [
        "% " + word.replace("_", r"\_") + ("%" if star else " %") for word, star in _wanted.findall(query.casefold())
    ]
