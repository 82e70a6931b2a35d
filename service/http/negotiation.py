"""Which of several media types answers a request: `Accept` as RFC 9110, 12.5.1 has it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

MAX_RANGES: Final = 64
"""Members of the header that are looked at; browsers send nine at most."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Linear in the header's length whatever it holds: a quoted text that does not end goes on to the header's end.
_pieces = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^",;]+)+|[,;]')
_media = re.compile(rf"({_WORD})/({_WORD})")
_value = re.compile(rf'{_WORD}|"(?:[^"\\]|\\.)*"')
_weight = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_ANY: Final = "*"


class _Range(NamedTuple):
    """A media range of the header; `weight` from 0, never, to 1."""

    main: str
    sub: str
    parameters: Mapping[str, str]
    weight: float


def preferred(accept: str | None, offered: Sequence[str]) -> str | None:
    """The one of `offered` that the client likes most; None where it takes none of them.

    `accept` is the header's value (several lines joined by commas), None where there is none. What is no media range is
    passed over, and a header without any says nothing. Between equal weights the one that the client names more exactly
    counts, then the order of `offered`. A parameter of a range counts where the offered type has it too: who asks for
    `application/json; charset=utf-8` takes `application/json`.
    """
    if accept is None or accept == "*/*" or accept == offered[0]:
        return offered[0]
    ranges = list(_ranges(accept))
    if not ranges:
        return offered[0]
    best, found = (0.0, 0), None
    for one in offered:
        liking = max((_liking(wanted, one) for wanted in ranges), default=(0, 0.0))
        if liking[1] > 0 and (liking[1], liking[0]) > best:
            best, found = (liking[1], liking[0]), one
    return found


def _liking(wanted: _Range, offered: str) -> tuple[int, float]:
    """How exactly the range names the type, 0 where it does not, and the weight that it gives it."""
    media, *rest = next(_members(offered))
    main, _, sub = media.lower().partition("/")
    if wanted.main == _ANY and wanted.sub == _ANY:
        return 1, wanted.weight
    if wanted.main != main or wanted.sub not in (_ANY, sub):
        return 0, 0.0
    if wanted.sub == _ANY:
        return 2, wanted.weight
    own = _parameters(rest) or {}
    both = own.keys() & wanted.parameters.keys()
    if any(own[name] != wanted.parameters[name] for name in both):
        return 0, 0.0
    return 3 + len(both), wanted.weight


def _ranges(accept: str) -> Iterator[_Range]:
    for media, *rest in islice(_members(accept), MAX_RANGES):
        found, parameters = _media.fullmatch(media), _parameters(rest)
        if found is None or parameters is None:
            continue
        main, sub, weight = found[1].lower(), found[2].lower(), parameters.pop("q", "1")
        if _weight.fullmatch(weight) and (main != _ANY or sub == _ANY):
            yield _Range(main, sub, parameters, float(weight))


def _members(header: str) -> Iterator[list[str]]:
    """Each member of the list, split at its semicolons; commas and semicolons in quoted texts are text."""
    member = [""]
    for piece in _pieces.findall(header):
        if piece == ",":
            yield [part.strip() for part in member]
            member = [""]
        elif piece == ";":
            member.append("")
        else:
            member[-1] = piece
    yield [part.strip() for part in member]


def _parameters(parts: Sequence[str]) -> dict[str, str] | None:
    """By name, lower case; None where one of them is no parameter."""
    parameters = {}
    for part in filter(None, parts):
        name, _, value = part.partition("=")
        if not _value.fullmatch(value.strip()):
            return None
        parameters[name.strip().lower()] = value.strip().strip('"').lower()
    return parameters
