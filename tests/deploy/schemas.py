"""The schemas of what a cluster takes: Kubernetes' own, and the part that is used of the Prometheus operator's."""

from typing import Any, Final

import jsonschema
import kubernetes_validate

from tests.deploy.kustomize import Manifest

VERSION: Final = "1.31"
"""The oldest Kubernetes that the manifests are for."""


def _only(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "object", "additionalProperties": _TEXT}
_OPERATOR: Final = {
    "ServiceMonitor": _only(
        ["selector", "endpoints"],
        jobLabel=_TEXT,
        selector={"type": "object", "required": ["matchLabels"]},
        endpoints={"type": "array", "items": _only(["port"], port=_TEXT, path=_TEXT, interval=_TEXT)},
    ),
    "PrometheusRule": _only(
        ["groups"],
        groups={"type": "array", "minItems": 1, "items": _only(
            ["name", "rules"],
            name=_TEXT,
            rules={"type": "array", "minItems": 1, "items": _only(
                ["alert", "expr"],
                alert=_TEXT, expr=_TEXT, labels=_TEXTS, annotations=_TEXTS, **{"for": _TEXT},
            )},
        )},
    ),
}  # fmt: skip


def validate(manifest: Manifest) -> None:
    """Raises where it does not fit, or has a member that its kind has not."""
    if schema := _OPERATOR.get(manifest["kind"]):
        jsonschema.validate(manifest["spec"], schema)
    else:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
