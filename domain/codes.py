"""The code tables of the deployment: what `status`, `type` and `severity` may be."""

from dataclasses import asdict, dataclass

from domain.errors import Fault


@dataclass(frozen=True, slots=True)
class Codes:
    """Allowed values, in the order in which they are shown. An empty severity stands for none."""

    status: tuple[str, ...]
    type: tuple[str, ...]
    severity: tuple[str, ...]

    def fault(self, member: str, value: object) -> Fault | None:
        allowed: tuple[str, ...] = getattr(self, member)
        if value in allowed:
            return None
        return Fault("CODE_UNKNOWN", f"must be one of {', '.join(code or '(empty)' for code in allowed)}")

    def document(self) -> dict[str, list[str]]:
        return {member: list(allowed) for member, allowed in asdict(self).items()}
