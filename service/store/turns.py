"""Who waits for what there is too little of: tenants take turns, and of one tenant whoever came first is first."""

from collections import OrderedDict, deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, Generic, TypeVar

ASKING: Final[ContextVar[str]] = ContextVar("asking", default="")
"""The tenant whose request is being answered; empty where the service works for itself."""

T = TypeVar("T")


class Lines(Generic[T]):
    """A line for each tenant of which somebody waits."""

    __slots__ = ("_lines", "_size")

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()
        """The tenant whose turn is next comes first."""
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def of(self, tenant_id: str) -> int:
        """How many of the tenant wait."""
        line = self._lines.get(tenant_id)
        return 0 if line is None else len(line)

    def longest(self) -> str:
        """The tenant of which most wait. Raises ValueError where nobody does."""
        return max(self._lines, key=self.of)

    def put(self, tenant_id: str, one: T) -> None:
        line = self._lines.get(tenant_id)
        if line is None:
            line = self._lines[tenant_id] = deque()
        line.append(one)
        self._size += 1

    def put_back(self, tenant_id: str, one: T) -> None:
        """It was taken too early: it is the tenant's next again."""
        line = self._lines.get(tenant_id)
        if line is None:
            line = self._lines[tenant_id] = deque()
        line.appendleft(one)
        self._size += 1

    def take(self, may: Callable[[str], bool] | None = None) -> tuple[str, T] | None:
        """Whose turn it is, of the tenants that `may`; None where nobody waits whose turn it can be."""
        for tenant_id, line in self._lines.items():
            if may is None or may(tenant_id):
                one = line.popleft()
                break
        else:
            return None
        if line:
            self._lines.move_to_end(tenant_id)
        else:
            del self._lines[tenant_id]
        self._size -= 1
        return tenant_id, one

    def drop_last(self, tenant_id: str) -> T:
        """Who came last of the tenant. Raises KeyError where none waits."""
        line = self._lines[tenant_id]
        one = line.pop()
        if not line:
            del self._lines[tenant_id]
        self._size -= 1
        return one


class Shares:
    """How many of a number of places each tenant has: never all of them, so that there is one for the next tenant.

    The service itself may have them all: what it does is for every tenant.
    """

    __slots__ = ("_held", "_most")

    def __init__(self, places: int) -> None:
        self._most = max(1, places - 1)
        self._held: dict[str, int] = {}

    def may(self, tenant_id: str) -> bool:
        """Whether the tenant may have one more."""
        return self._held.get(tenant_id, 0) < self._most or not tenant_id

    def begin(self, tenant_id: str) -> None:
        self._held[tenant_id] = self._held.get(tenant_id, 0) + 1

    def end(self, tenant_id: str) -> None:
        held = self._held[tenant_id] - 1
        if held:
            self._held[tenant_id] = held
        else:
            del self._held[tenant_id]
