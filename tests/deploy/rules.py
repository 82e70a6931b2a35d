"""The alerts in the forms that Kubernetes and Helm take, made from the one source (`make rules`)."""

from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
RULE = DEPLOY / "kubernetes" / "monitoring" / "alerts.yaml"
IN_CHART = DEPLOY / "helm" / "ims" / "alerts.yaml"
HEAD = """# Made from deploy/prometheus/alerts.yaml, by `make rules`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: { name: ims, labels: { app.kubernetes.io/name: ims } }
spec:
"""


def wanted() -> dict[Path, str]:
    """What each of the files has to hold."""
    source = ALERTS.read_text()
    lines = source[source.index("groups:") :].splitlines()
    return {RULE: HEAD + "\n".join(f"  {line}".rstrip() for line in lines) + "\n", IN_CHART: source}


if __name__ == "__main__":
    for path, text in wanted().items():
        path.write_text(text)
