"""Random commands. Which incident or comment is meant is a number, resolved among those that are there by then."""

from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

from tests.domain.examples import BREACH

USERS = ("deployer", "ann", "bob")
Lock = Literal["right", "stale", "none", "future"]
Kind = Literal[
    "report", "edit", "patch", "set", "add", "unset", "delete", "restore", "comment", "recomment", "uncomment",
    "define", "retire", "repeat", "reuse", "look", "revert",
]  # fmt: skip


@dataclass(frozen=True)
class Command:
    """`which` and `comment` choose among what is there; `astray`: an incident of the other tenant is meant.

    `comment` is also the version that is brought back.
    """

    kind: Kind
    tenant: int
    user: str
    which: int
    comment: int
    lock: Lock
    members: dict[str, Any]
    attributes: dict[str, Any]
    name: str
    type: str
    value: Any
    keyed: bool
    astray: bool

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(f'{k}={v!r}' for k, v in vars(self).items() if k != 'kind')})"


NAMES = ("Breach", "Outage of the breaker", "break-in", "ß", "x_y")
ATTRIBUTES = ("count", "workflowId", "people", "place")
TYPES = {"count": "NUMBER", "workflowId": "STRING", "people": "INT", "place": "STRING"}

OTHER_TYPES = {**TYPES, "count": "INT", "people": "NUMBER"}
"""Which take the same values, so that the model need not coerce."""

members = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(NAMES),
        "status": st.sampled_from(("NEW", "OPEN", "CLOSED")),
        "type": st.sampled_from(("OTHERS", "SECURITY")),
        "severity": st.sampled_from(("", "LOW", "HIGH")),
        "next_update": st.integers(0, 5),
        "backdated": st.booleans(),
        "location": st.sampled_from(("", "here", "Breach Street")),
        "date": st.sampled_from((BREACH["date"], "2024-11-11T02:57:27Z", "2024-11-11T10:57:27.000000001+08:00")),
    },
)


def _value(name: str) -> st.SearchStrategy[Any]:
    return st.integers(0, 3) if TYPES[name] in ("NUMBER", "INT") else st.sampled_from(("a", "5", ""))


attributes = st.fixed_dictionaries({}, optional={name: _value(name) for name in ATTRIBUTES})


KINDS: tuple[Kind, ...] = (
    "patch", "edit", "set", "comment", "recomment", "delete", "restore", "unset", "add", "uncomment", "repeat",
    "reuse", "look", "define", "retire", "report", "patch", "edit", "restore", "recomment",
    "revert", "revert",
)  # fmt: skip


@st.composite
def _commands(draw: st.DrawFn) -> Command:
    name = draw(st.sampled_from(ATTRIBUTES))
    return Command(
        kind=draw(st.sampled_from(KINDS)),
        tenant=draw(st.sampled_from((0, 0, 0, 1))),
        user=draw(st.sampled_from(USERS)),
        which=draw(st.integers(0, 4)),
        comment=draw(st.integers(0, 2)),
        lock=draw(st.sampled_from(("right", "right", "stale", "none", "future"))),
        members=draw(members),
        attributes=draw(attributes),
        name=name,
        type=draw(st.sampled_from((TYPES[name], OTHER_TYPES[name]))),
        value=draw(_value(name)),
        keyed=draw(st.booleans()),
        astray=draw(st.integers(0, 15)) == 7,
    )


commands = st.lists(_commands(), min_size=20, max_size=60)
