"""As much of kustomize as our files use: resources, a namespace, images, JSON patches. More is refused."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
KNOWN = {"apiVersion", "kind", "resources", "namespace", "images", "patches"}


class NotUnderstood(Exception):
    """The kustomization uses what this reading of it does not know."""


def rendered(folder: Path) -> list[Manifest]:
    """What `kubectl apply -k` would send."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if strange := kustomization.keys() - KNOWN:
        raise NotUnderstood(f"{folder}: {strange}")
    manifests = [manifest for name in kustomization["resources"] for manifest in _resource(folder / name)]
    for patch in kustomization.get("patches", ()):
        _patch(manifests, patch)
    for manifest in manifests:
        if "namespace" in kustomization:
            manifest["metadata"]["namespace"] = kustomization["namespace"]
        for container in containers(manifest):
            for image in kustomization.get("images", ()):
                name, _, tag = container["image"].partition(":")
                if name == image["name"]:
                    container["image"] = f"{image.get('newName', name)}:{image.get('newTag', tag)}"
    return manifests


def pod(manifest: Manifest) -> Manifest | None:
    """The pod that a workload makes."""
    spec = manifest.get("spec", {})
    template: Manifest | None = spec.get("jobTemplate", {}).get("spec", spec).get("template", {}).get("spec")
    return template


def containers(manifest: Manifest) -> list[Manifest]:
    return list((pod(manifest) or {}).get("containers", ()))


def _resource(path: Path) -> list[Manifest]:
    return rendered(path) if path.is_dir() else [deepcopy(each) for each in yaml.safe_load_all(path.read_text())]


def _patch(manifests: list[Manifest], patch: Manifest) -> None:
    target = patch["target"]
    (manifest,) = (
        each for each in manifests if (each["kind"], each["metadata"]["name"]) == (target["kind"], target["name"])
    )
    for step in yaml.safe_load(patch["patch"]):
        *way, last = step["path"].strip("/").split("/")
        place: Any = manifest
        for name in way:
            place = place[_key(place, name)]
        key = _key(place, last)
        if step["op"] == "remove":
            del place[key]
        elif step["op"] == "replace":
            place[key]  # what is replaced must be there
            place[key] = step["value"]
        else:
            raise NotUnderstood(step["op"])


def _key(place: Any, name: str) -> Any:
    return int(name) if isinstance(place, list) else name
