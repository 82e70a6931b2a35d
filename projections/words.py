"""The words of a text, for searching: found by these functions alone, so that both engines agree.

Scripts that are written without spaces show no words, so a run of theirs is kept whole and found by any part of it:
Han, kana, bopomofo and Hangul by any characters, Thai and its neighbours by any clusters, for a vowel sign or a tone
makes another syllable of the same letter. Pairs of characters are not kept: they would find what only has the same
pairs, and a run of 20,000 characters would take three times its length.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from projections.folding import letters_of

_LETTER: Final = re.compile(r"\w")
_FOLDED: Final = bytes(ord(sign.casefold()) if _LETTER.match(sign) else ord(" ") for sign in map(chr, range(128)))
"""What each byte of an ASCII text becomes, so that the words are between blanks."""
_ASCII: Final = _FOLDED + bytes(128)

_BY_CHARACTER: Final = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00016fe0-\U00018dff\U0001aff0-\U0001b2ff"
    "\U00020000-\U0003fffd"
)
"""Hangul, Han and what stands among it, hiragana, katakana, bopomofo, Tangut, Khitan, Nüshu."""
_BY_CLUSTER: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaadf"
)
"""Thai, Lao, Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham, Balinese, Javanese, Myanmar again, Tai Viet."""
_BEFORE: Final = "\u0e40-\u0e44\u0ec0-\u0ec4\u19b5-\u19b7\u19ba\uaab5\uaab6\uaab9\uaabb\uaabc"
"""Vowels that are written before their consonant (Logical_Order_Exception)."""
_STACKING: Final = "\u1039\u17d2\u1a60\u1b44\ua9c0"
"""Viramas that put the next consonant below."""
_MARKS: Final = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064"
    "\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u17b4-\u17d3\u17dd\u1a55-\u1a7f\u1b00-\u1b04\u1b34-\u1b44"
    "\u1b6b-\u1b73\ua980-\ua983\ua9b3-\ua9c0\ua9e5\uaa7b-\uaa7d\uaab0\uaab2-\uaab4\uaab7\uaab8\uaabe\uaabf\uaac1"
)
"""Vowel signs, tones and finals of these scripts."""


@cache
def _spaceless() -> re.Pattern[str]:
    """A run of either kind, of the second as its first group; made when it is first needed, for that takes a while."""
    return re.compile(f"[{_BY_CHARACTER}]+|([{_BY_CLUSTER}]+)")


@cache
def _cluster() -> re.Pattern[str]:
    return re.compile(f"[{_BEFORE}]*.?(?:[{_MARKS}]|(?<=[{_STACKING}]).)*")


_BETWEEN: Final = "."
"""Before and behind each cluster of a run; nothing that a word has."""


def words_of(*texts: str) -> str:
    """The distinct words of the texts, each between two blanks."""
    return joined(words_in(" ".join(texts)))


def words_in(text: str) -> list[str]:
    """Its words, folded; some as often as they are in it."""
    return _words(_apart(text))


def joined(words: Iterable[str]) -> str:
    """What `words_of` makes of the texts that these are the words of, one after another."""
    return f" {' '.join(dict.fromkeys(words))} "


def parts_of(query: str) -> list[str]:
    """What `words_of` must hold, each somewhere, for the query's words to be found; `word*` is a prefix. Empty for a
    query without a letter or digit."""
    *starred, last = unicodedata.normalize("NFKC", query).split("*")
    parts: list[str] = []
    for text in starred:
        apart = _apart(text)
        words = _words(apart)
        goes_on = bool(words) and not apart.endswith(" ")
        parts += map(_part, words[:-1] if goes_on else words)
        if goes_on:
            parts.append(_part(words[-1]).rstrip(" " + _BETWEEN))
    return list(dict.fromkeys((*parts, *map(_part, words_in(last)))))


def _apart(text: str) -> str:
    """The text, folded, with blanks for whatever belongs to no word."""
    if text.isascii():  # the same, in a fraction of the time
        return text.encode().translate(_ASCII).decode()
    return letters_of(text)


def _words(apart: str) -> list[str]:
    words = apart.split()
    if apart.isascii() or _spaceless().search(apart) is None:
        return words
    return [run for word in dict.fromkeys(words) for run in _runs(word)]


def _runs(word: str) -> Iterator[str]:
    """Its parts of one kind each; an underline between two of them belongs to neither."""
    end = 0
    for run in _spaceless().finditer(word):
        if before := word[end : run.start()].strip("_"):
            yield before
        yield run[0] if run[1] is None else _clusters(run[1])
        end = run.end()
    if rest := word[end:].strip("_") if end else word:
        yield rest


def _clusters(run: str) -> str:
    return f"{_BETWEEN}{_BETWEEN.join(filter(None, _cluster().findall(run)))}{_BETWEEN}"


def _part(word: str) -> str:
    """Of a run without spaces any part will do, of others the whole word."""
    return word if word[0] == _BETWEEN or _spaceless().match(word) else f" {word} "
