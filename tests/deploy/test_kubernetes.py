"""The manifests: each fits the schema of its kind, they belong together, and they say what the image is made for."""

from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from service.settings import Settings
from tests.deploy.kustomize import Manifest, containers, pod, rendered

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
RENDERED = {name: rendered(KUBERNETES / name) for name in ("overlays/one", "overlays/scaled", "migration")}
VERSION = "1.31"
"""The oldest Kubernetes that the manifests are for."""
SERVICE_MONITOR = {
    "type": "object",
    "required": ["selector", "endpoints"],
    "additionalProperties": False,
    "properties": {
        "jobLabel": {"type": "string"},
        "selector": {"type": "object", "required": ["matchLabels"]},
        "endpoints": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": False, "properties": {
                "port": {"type": "string"}, "path": {"type": "string"}, "interval": {"type": "string"},
            }},
        },
    },
}  # fmt: skip
"""The part that is used of the operator's own kind, which Kubernetes' schemas do not have."""


def all_of(name: str, kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in RENDERED[name] if each["kind"] == kind}


def labelled(manifest: Manifest) -> Any:
    return manifest["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize(
    "manifest",
    [pytest.param(each, id=f"{name}: {each['kind']} {each['metadata']['name']}")
     for name, manifests in RENDERED.items() for each in manifests],
)  # fmt: skip
def test_a_manifest_fits_the_schema_of_its_kind(manifest: Manifest) -> None:
    if manifest["kind"] == "ServiceMonitor":
        jsonschema.validate(manifest["spec"], SERVICE_MONITOR)
    else:
        kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_one_process_does_everything_or_some_serve_and_two_follow() -> None:
    def roles(name: str) -> dict[str, tuple[str, int | None]]:
        return {
            each["metadata"]["name"]: (containers(each)[0]["env"][0]["value"], each["spec"].get("replicas"))
            for each in all_of(name, "Deployment").values()
        }

    assert roles("overlays/one") == {"ims-api": ("api,projector,publisher,auditor", 1)}
    assert roles("overlays/scaled") == {"ims-api": ("api", None), "ims-followers": ("projector,publisher,auditor", 2)}
    (scaler,) = all_of("overlays/scaled", "HorizontalPodAutoscaler").values()
    assert scaler["spec"]["scaleTargetRef"]["name"] == "ims-api"
    assert scaler["spec"]["minReplicas"] >= 2


@pytest.mark.parametrize("name", RENDERED)
def test_a_pod_runs_as_the_images_user_and_may_do_nothing_else(name: str) -> None:
    workloads = [each for each in RENDERED[name] if pod(each) is not None]
    assert workloads
    for workload in workloads:
        spec = pod(workload) or {}
        assert spec["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": 10001}.items()
        assert spec["automountServiceAccountToken"] is False
        for container in containers(workload):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]
    assert "USER 10001:10001" in (KUBERNETES.parent / "Dockerfile").read_text()


@pytest.mark.parametrize("name", RENDERED)
def test_secrets_are_named_and_never_said(name: str) -> None:
    assert all_of(name, "Secret") == {}
    for workload in RENDERED[name]:
        for variable in (each for container in containers(workload) for each in container.get("env", ())):
            said = "value" in variable
            assert said != variable["name"].endswith("_URL"), variable["name"]


def test_every_variable_is_a_setting() -> None:
    settings = {f"IMS_{name.upper()}" for name in Settings.model_fields}
    for manifests in RENDERED.values():
        for manifest in manifests:
            said = [each["name"] for container in containers(manifest) for each in container.get("env", ())]
            said += manifest["data"] if manifest["kind"] == "ConfigMap" else []
            assert set(said) <= settings


@pytest.mark.parametrize("name", ["overlays/one", "overlays/scaled"])
def test_what_selects_finds_pods(name: str) -> None:
    pods = [labelled(each).items() for each in RENDERED[name] if pod(each) is not None]
    selectors = [each["spec"]["selector"] for each in all_of(name, "Service").values()]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in all_of(name, "PodDisruptionBudget").values()]
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in all_of(name, "NetworkPolicy").values()]
    assert selectors
    for selector in selectors:
        assert any(selector.items() <= labels for labels in pods), selector
    for deployment in all_of(name, "Deployment").values():
        assert deployment["spec"]["selector"]["matchLabels"] == labelled(deployment)


@pytest.mark.parametrize("name", ["overlays/one", "overlays/scaled"])
def test_probes_ask_what_the_service_answers_and_an_end_is_waited_for(name: str) -> None:
    for deployment in all_of(name, "Deployment").values():
        (container,) = containers(deployment)
        asked = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")}
        assert asked == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}
        before = 5 if "lifecycle" in container else 0
        given = (pod(deployment) or {})["terminationGracePeriodSeconds"] - before
        assert given > Settings.model_fields["shutdown_timeout"].default


def test_the_migration_is_a_job_of_its_own_with_the_owners_rights() -> None:
    (job,) = all_of("migration", "Job").values()
    (container,) = containers(job)
    assert container["args"] == ["migrate"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "ims-database", "key": "owner-url"}
    for deployment in all_of("overlays/scaled", "Deployment").values():
        assert containers(deployment)[0]["env"][1]["valueFrom"]["secretKeyRef"]["key"] == "url"


def test_prometheus_finds_both_kinds_of_processes_under_the_job_that_alerts_speak_of() -> None:
    (monitor,) = all_of("overlays/scaled", "ServiceMonitor").values()
    services = all_of("overlays/scaled", "Service")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = [each for each in services.values() if each["metadata"]["labels"].items() >= wanted]
    components = {each["spec"]["selector"]["app.kubernetes.io/component"] for each in found}
    assert components == {"api", "followers"}
    assert {each["metadata"]["labels"][monitor["spec"]["jobLabel"]] for each in found} == {"ims"}
    alerts = yaml.safe_load((KUBERNETES.parent / "prometheus" / "alerts.yaml").read_text())
    assert 'job="ims"' in alerts["groups"][0]["rules"][0]["expr"]
