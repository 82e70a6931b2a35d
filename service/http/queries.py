"""Query parameters: each is known, stands once unless it may repeat, and has its form; else 400."""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from domain.attribute_types import Definitions, coerce, listed, moment_of
from domain.errors import Fault, Invalid
from domain.moments import instant
from domain.rules import Moment, unstorable
from projections.folding import name_key
from projections.incident_attributes import value_key
from projections.listing import COUNTED, NEWEST_FIRST, SORT_COLUMNS, AttributeEquals, Filter, Sort
from projections.words import parts_of

DEFAULT_SIZE: Final = 10
MAX_SIZE: Final = 1_000
MAX_PAGE: Final = 10**9
MAX_QUERY: Final = 200
"""Characters of `q`."""
MAX_VALUES: Final = 50
"""Values of one repeatable filter."""
MAX_VALUE: Final = 1_000
"""Characters of any parameter but the cursor."""
MAX_CURSOR: Final = 8_000
"""Characters of a cursor: it holds the sort keys of a row, of which two are texts of 200 characters."""

REPORTER: Final = "reported_by"
CODED: Final = (*COUNTED, REPORTER)
PERIODS: Final = {"date": "date", "created": "created_at", "updated": "updated_at"}
PAGING: Final = ("page", "size", "cursor")
ATTRIBUTE: Final = "attributes."

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_number = re.compile(r"[0-9]{1,10}")


class Parameters:
    """A request's query, checked against what is allowed. Faults gather; `done` raises them all."""

    def __init__(self, request: web.Request, once: Collection[str] = (), repeatable: Collection[str] = ()) -> None:
        self.faults: list[Fault] = []
        self._values: dict[str, list[str]] = {}
        if request.query_string:
            for name, value in request.query.items():
                self._values.setdefault(name, []).append(value)
        for name, values in self._values.items():
            known = name in once or name in repeatable
            if not known and not (ATTRIBUTE in once and name.startswith(ATTRIBUTE)):
                allowed = ", ".join(sorted({*once, *repeatable})) or "none"
                self.fault("PARAMETER_UNKNOWN", f"parameters here: {allowed}", name)
            elif len(values) > (MAX_VALUES if name in repeatable else 1):
                limit = f"at most {MAX_VALUES}" if name in repeatable else "may stand once"
                self.fault("PARAMETER_REPEATED", limit, name)
            elif any(len(value) > _limit(name) or unstorable(value) for value in values):
                self.fault("PARAMETER_INVALID", f"must be text of at most {_limit(name)} characters", name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def fault(self, code: str, message: str, name: str) -> None:
        # A parameter that nobody knows may have a name of any length and form: it is not sent back whole.
        self.faults.append(Fault(code, message, name.encode(errors="replace").decode()[:100]))

    def done(self) -> None:
        if self.faults:
            raise Invalid(self.faults)

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def one(self, name: str) -> str | None:
        return self._values[name][0] if name in self._values else None

    def whole(self, name: str, default: int | None, low: int, high: int) -> int:
        """Without a default it is required."""
        text = self.one(name)
        if text is None and default is not None:
            return default
        if text is None or not _number.fullmatch(text) or not low <= int(text) <= high:
            self.fault("PARAMETER_INVALID", f"must be an integer from {low} to {high}", name)
            return low if default is None else default
        return int(text)

    def flag(self, name: str) -> bool | None:
        text = self.one(name)
        if text not in (None, "true", "false"):
            self.fault("PARAMETER_INVALID", "must be true or false", name)
        return None if text is None else text == "true"

    def moment(self, name: str) -> str | None:
        """An instant that sorts as text; a space in place of the offset's sign is what `+` becomes in a query."""
        text = self.one(name)
        if text is None:
            return None
        text = text.replace(" ", "+")
        fault = Moment()(text)
        if fault is not None:
            self.fault("PARAMETER_INVALID", fault.message, name)
            return None
        return instant(text)


def paging(parameters: Parameters) -> tuple[int, int]:
    """Number and size of the page."""
    page = parameters.whole("page", 1, 1, MAX_PAGE)
    size = parameters.whole("size", DEFAULT_SIZE, 1, MAX_SIZE)
    if "cursor" in parameters and "page" in parameters:
        parameters.fault("PARAMETER_INVALID", "a cursor does not go with a page", "cursor")
    return page, size


def _limit(name: str) -> int:
    return MAX_CURSOR if name == "cursor" else MAX_VALUE


def filter_of(parameters: Parameters, definitions: Definitions) -> Filter:
    """What the list is narrowed to; `definitions` with the retired ones. Faults go to the parameters."""
    ranges = []
    for prefix, column in PERIODS.items():
        first, beyond = parameters.moment(f"{prefix}_from"), parameters.moment(f"{prefix}_to")
        if first is not None or beyond is not None:
            keys = (first, beyond) if column == "date" else (_microseconds(first), _microseconds(beyond))
            ranges.append((column, *keys))
    return Filter(
        any_of={name: _values(parameters, name) for name in CODED if name in parameters},
        backdated=parameters.flag("backdated"),
        ranges=ranges,
        attributes=_attributes(parameters, definitions),
        words=_words(parameters),
    )


def _values(parameters: Parameters, name: str) -> list[str]:
    """Codes as they are; of people, what their names are compared by."""
    values = parameters.all(name)
    return [*dict.fromkeys(map(name_key, values))] if name == REPORTER else values


def _words(parameters: Parameters) -> list[str]:
    """An empty query is none; one in which there is nothing to search for would find everything."""
    query = parameters.one("q") or ""
    if len(query) > MAX_QUERY:
        parameters.fault("PARAMETER_INVALID", f"must have at most {MAX_QUERY} characters", "q")
        return []
    words = parts_of(query)
    if query and not words:
        parameters.fault("PARAMETER_INVALID", "has no word to search for: no letter and no digit", "q")
    return words


def sort_of(parameters: Parameters) -> tuple[Sort, ...]:
    sort: list[Sort] = []
    for text in parameters.all("sort"):
        column, _, direction = text.partition(",")
        direction = direction or "desc"
        if column not in SORT_COLUMNS or direction not in ("asc", "desc") or column in {by.column for by in sort}:
            allowed = ", ".join(SORT_COLUMNS)
            parameters.fault("PARAMETER_INVALID", f"must be field,asc or field,desc, each once: {allowed}", "sort")
            continue
        sort.append(Sort(column, "asc" if direction == "asc" else "desc"))
    return tuple(sort) or NEWEST_FIRST


def _attributes(parameters: Parameters, definitions: Definitions) -> list[AttributeEquals]:
    wanted: list[AttributeEquals] = []
    known = ""
    for parameter in parameters:
        if not parameter.startswith(ATTRIBUTE):
            continue
        name = parameter.removeprefix(ATTRIBUTE)
        if name not in definitions:
            known = known or listed(definitions)
            parameters.fault("ATTRIBUTE_UNKNOWN", known, parameter)
            continue
        text = parameters.all(parameter)[0]
        value = coerce(definitions[name], text.replace(" ", "+") if definitions[name] == "DATETIME" else text)
        if isinstance(value, Fault):
            parameters.fault("PARAMETER_INVALID", value.message, parameter)
        elif definitions[name] == "DATETIME":
            wanted.append((name, "moment", moment_of(value)))
        else:
            wanted.append((name, "value", value_key(value)))
    return wanted


def _microseconds(key: str | None) -> int | None:
    """Microseconds since 1970 of an instant with nine digits; what is finer counts as the next one."""
    if key is None:
        return None
    at = datetime.fromisoformat(key[:26]).replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(microseconds=1) + (key[26:] != "000")
