"""The code tables of the deployment: what `status`, `type` and `severity` may be."""

from dataclasses import asdict, dataclass

from domain.errors import Fault


@dataclass(frozen=True, slots=True)
class Codes:
    """Allowed values, in the order in which they are shown. An empty severity stands for none."""

    status: tuple[str, ...]
    type: tuple[str, ...]
    severity: tuple[str, ...]

    def allowed(self, member: str) -> tuple[str, ...]:
        codes: tuple[str, ...] = getattr(self, member)
        return codes

    def fault(self, member: str) -> Fault:
        """What is wrong with any other text."""
        shown = ", ".join(code or "(empty)" for code in self.allowed(member))
        return Fault("CODE_UNKNOWN", f"must be one of {shown}")

    def document(self) -> dict[str, list[str]]:
        return {member: list(allowed) for member, allowed in asdict(self).items()}
