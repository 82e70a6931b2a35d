"""What a list of incidents is asked for, and the SQL conditions that follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from projections.database import Dialect

Direction = Literal["asc", "desc"]
AttributeEquals = tuple[str, Literal["value", "moment"], str]

SORT_COLUMNS: Final[dict[str, type]] = {
    "created_at": int,
    "updated_at": int,
    "date": str,
    "name": str,
    "status": str,
    "type": str,
    "severity": str,
    "reported_by": str,
    "next_update": int,
}
"""What lists can be sorted by, and the type of the stored key."""

WITHOUT_TIES: Final = ("created_at", "updated_at")
"""No two events of a log are recorded at the same time."""
COUNTED: Final = ("status", "type", "severity")


@dataclass(frozen=True, slots=True)
class Sort:
    column: str
    direction: Direction


NEWEST_FIRST: Final = (Sort("created_at", "desc"),)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to.

    `any_of`: allowed values by column. `ranges`: column, first key, first key beyond (either may be None).
    `attributes`: name, `value` or `moment`, and what that is to equal. `words`: what `parts_of` makes of words of which
    each must occur.
    """

    any_of: dict[str, list[str]] = field(default_factory=dict)
    backdated: bool | None = None
    ranges: Sequence[tuple[str, Any, Any]] = ()
    attributes: Sequence[AttributeEquals] = ()
    words: Sequence[str] = ()

    @property
    def counted(self) -> bool:
        """Whether the kept counts alone can tell how many match."""
        only_counted = set(self.any_of) <= set(COUNTED)
        return only_counted and not (self.ranges or self.attributes or self.words) and self.backdated is None


class Conditions:
    """Collects conditions and their arguments; the tenant is always the first, then come `further` ones."""

    def __init__(self, dialect: Dialect, tenant_id: str, *further: Any) -> None:
        self._dialect = dialect
        self.args: list[Any] = [tenant_id, *further]
        self._conditions = ["tenant_id = $1"]

    def add(self, condition: str, *values: Any) -> None:
        """`{}` in the condition stands for the arguments, in order."""
        marks = []
        for value in values:
            self.args.append(value)
            marks.append(f"${len(self.args)}")
        self._conditions.append(condition.format(*marks))

    def among(self, column: str, values: list[str]) -> None:
        self.args.append(values)
        self._conditions.append(self._dialect.among(column, len(self.args)))

    def one_of(self, column: str, values: list[str]) -> None:
        """Few: a planner that does not look at the arguments takes a list that is one of them for a long one."""
        self.add(f"{column} IN ({', '.join(['{}'] * len(values))})", *values)

    def narrow(self, wanted: Filter, attributes_table: str) -> None:
        for column, values in wanted.any_of.items():
            self.one_of(column, values)
        if wanted.backdated is not None:
            self.add("backdated = {}", int(wanted.backdated))
        for column, first, beyond in wanted.ranges:
            if first is not None:
                self.add(f"{column} >= {{}}", first)
            if beyond is not None:
                self.add(f"{column} < {{}}", beyond)
        for name, column, key in wanted.attributes:
            self.add(
                f"id IN (SELECT incident_id FROM {attributes_table}"
                f" WHERE tenant_id = $1 AND name = {{}} AND {column} = {{}})",
                name, key,
            )  # fmt: skip
        for part in wanted.words:
            self.args.append(part)
            self._conditions.append(self._dialect.containing("words", len(self.args)))

    def beyond(self, sort: Sequence[Sort], keys: Sequence[Any]) -> None:
        """Only what comes after a row with these sort keys; the last key is its id."""
        alternatives = []
        columns = _deciding(sort)
        marks = []
        for key in keys[: len(columns)]:
            self.args.append(key)
            marks.append(f"${len(self.args)}")
        for last, (by, mark) in enumerate(zip(columns, marks, strict=True)):
            equal = [f"{columns[i].column} = {marks[i]}" for i in range(last)]
            further = f"{by.column} {'>' if by.direction == 'asc' else '<'} {mark}"
            alternatives.append(" AND ".join([*equal, further]))
        self._conditions.append("(" + " OR ".join(alternatives) + ")")

    def __str__(self) -> str:
        return " AND ".join(self._conditions)


def order(sort: Sequence[Sort]) -> str:
    return ", ".join(f"{by.column} {by.direction}" for by in _deciding(sort))


def _deciding(sort: Sequence[Sort]) -> Sequence[Sort]:
    """Ties by id; behind a time of the log there are none, and the index alone gives the order and where to go on."""
    for place, by in enumerate(sort):
        if by.column in WITHOUT_TIES:
            return sort[: place + 1]
    return (*sort, Sort("id", "asc"))
