"""The chart, rendered by Helm: it makes what the kustomizations make, and what is put into it stays right."""

import json
import subprocess
from collections import Counter
from typing import Any

import pytest
import yaml

from tests.deploy.helm import CHART, HELM, ROOT, Refused, chart, kustomized, needs_helm
from tests.deploy.kustomize import Manifest, containers, pod, rendered
from tests.deploy.rules import ALERTS, wanted
from tests.deploy.schemas import validate
from tests.deploy.test_kubernetes import KUBERNETES, RENDERED

OF_HELM = {"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"}
"""Labels by which Helm knows what is whose; a kustomization has none."""
ONE = {
    f"{part}__enabled": "false" for part in ("followers", "autoscaling", "monitoring", "ingress", "backup", "migration")
}

pytestmark = needs_helm


def plain(manifest: Manifest) -> Any:
    """Without what only one of the two tools adds."""
    return _stripped({**manifest, "metadata": {k: v for k, v in manifest["metadata"].items() if k != "namespace"}})


def _stripped(value: Any) -> Any:
    if isinstance(value, list):
        return [_stripped(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _stripped(each) for name, each in value.items() if name not in OF_HELM}
    if "annotations" in kept:
        kept["annotations"] = {
            name: each for name, each in kept["annotations"].items() if not name.startswith(("helm.sh/", "checksum/"))
        }
        if not kept["annotations"]:
            del kept["annotations"]
    return kept


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Any]:
    found = {(each["kind"], each["metadata"]["name"]): plain(each) for each in manifests}
    assert len(found) == len(manifests)
    return found


def test_it_makes_what_the_overlay_with_many_processes_and_the_migration_make() -> None:
    made, others = by_name(chart()), by_name(RENDERED["overlays/scaled"] + RENDERED["migration"])
    assert made.keys() == others.keys()
    for name, manifest in made.items():
        assert manifest == others[name], name


def test_with_all_that_is_optional_off_it_makes_what_the_overlay_with_one_process_makes() -> None:
    assert by_name(chart(**ONE)) == by_name(RENDERED["overlays/one"])


@pytest.mark.parametrize("name", RENDERED)
def test_kustomize_itself_makes_what_the_tests_of_the_kustomizations_read(name: str) -> None:
    def ordered(manifests: list[Manifest]) -> list[str]:
        return sorted(json.dumps(each, sort_keys=True) for each in manifests)

    assert ordered(kustomized(KUBERNETES / name)) == ordered(rendered(KUBERNETES / name))


@pytest.mark.parametrize("release", ["ims", "second"])
def test_everything_fits_the_schema_of_its_kind(release: str) -> None:
    for manifest in chart(release):
        validate(manifest)


def test_two_releases_in_one_namespace_share_nothing() -> None:
    first, second = chart("first"), chart("second")
    names = [{(each["kind"], each["metadata"]["name"]) for each in manifests} for manifests in (first, second)]
    assert not names[0] & names[1]
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in second if each["kind"] == "Deployment"]
    for manifest in first:
        spec = manifest.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector"))
        if selector is not None:
            wanted_labels = selector.get("matchLabels", selector).items()
            assert not any(wanted_labels <= labels.items() for labels in pods), manifest["metadata"]["name"]


@pytest.mark.parametrize("release", ["ims", "a-release-whose-name-is-as-long-as-helm-lets-it-be-53"])
def test_what_is_named_is_there(release: str) -> None:
    manifests = chart(release)
    there = Counter((each["kind"], each["metadata"]["name"]) for each in manifests)
    assert all(len(name) <= (52 if kind == "CronJob" else 63) for kind, name in there)
    for manifest in manifests:
        if (spec := pod(manifest)) is None:
            continue
        named = [("ConfigMap", source["configMapRef"]["name"]) for each in containers(manifest)
                 for source in each.get("envFrom", ())]  # fmt: skip
        named += [("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
                  for volume in spec.get("volumes", ()) if "persistentVolumeClaim" in volume]  # fmt: skip
        named += [("ServiceAccount", spec["serviceAccountName"])] if "serviceAccountName" in spec else []
        assert [each for each in named if each not in there] == []


def test_a_digest_counts_before_a_tag() -> None:
    digest = f"sha256:{'0123456789abcdef' * 4}"
    images = {
        container["image"]
        for each in chart(image__repository='"r.example/ims"', image__tag='"9"', image__digest=f'"{digest}"')
        for container in containers(each)
    }
    assert images == {f"r.example/ims@{digest}"}


def test_another_setting_restarts_the_processes_and_a_schema_reaches_the_migration_too() -> None:
    def sums(manifests: list[Manifest]) -> set[str]:
        templates = [each["spec"]["template"] for each in manifests if each["kind"] == "Deployment"]
        return {template["metadata"]["annotations"]["checksum/settings"] for template in templates}

    (before,), changed = sums(chart()), chart(settings__IMS_DATABASE_SCHEMA='"other"')
    assert before not in sums(changed)
    (job,) = (each for each in changed if each["kind"] == "Job")
    assert {"name": "IMS_DATABASE_SCHEMA", "value": "other"} in containers(job)[0]["env"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"followers__enabled": "false"}, "autoscaling.enabled needs followers.enabled"),
        ({"replicas": "3"}, "replicas"),
        ({"settings__IMS_DATABASE_URL": '"postgresql://u:p@h/d"'}, "IMS_DATABASE_URL"),
        ({"settings__database_pool": "8"}, "database_pool"),
        ({"image__digest": '"latest"'}, "digest"),
        ({"api__replicas": "0"}, "replicas"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_by_name(values: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        chart(**values)


def test_the_alerts_are_those_that_are_tested() -> None:
    for path, text in wanted().items():
        assert path.read_text() == text, f"make rules ({path.relative_to(ROOT)})"
    (rule,) = (each for each in chart() if each["kind"] == "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(ALERTS.read_text())


def test_helm_has_nothing_against_it() -> None:
    done = subprocess.run([HELM, "lint", "--strict", CHART], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
