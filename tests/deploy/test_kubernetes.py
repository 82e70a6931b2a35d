"""The manifests: each fits the schema of its kind, they belong together, and they say what the image is made for."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from service.app import DRAIN_SECONDS, RELEASE_SECONDS
from service.settings import Settings
from tests.deploy.kustomize import Manifest, containers, pod, rendered
from tests.deploy.schemas import validate

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
RENDERED = {name: rendered(KUBERNETES / name) for name in ("overlays/one", "overlays/scaled", "migration")}


def all_of(name: str, kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in RENDERED[name] if each["kind"] == kind}


def labelled(manifest: Manifest) -> Any:
    spec = manifest["spec"]
    return spec.get("jobTemplate", {}).get("spec", spec)["template"]["metadata"]["labels"]


@pytest.mark.parametrize(
    "manifest",
    [pytest.param(each, id=f"{name}: {each['kind']} {each['metadata']['name']}")
     for name, manifests in RENDERED.items() for each in manifests],
)  # fmt: skip
def test_a_manifest_fits_the_schema_of_its_kind(manifest: Manifest) -> None:
    validate(manifest)


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


def test_whatever_is_rolled_out_has_one_image() -> None:
    images = {
        name: {container["image"] for each in manifests for container in containers(each)}
        for name, manifests in RENDERED.items()
    }
    assert set(map(frozenset, images.values())) == {frozenset({"registry.example.com/ims:0.1.0"})}


def test_every_pod_may_be_reached_and_reach_out_as_the_network_policy_says() -> None:
    manifests = RENDERED["overlays/scaled"] + RENDERED["migration"]
    (policy,) = (each for each in manifests if each["kind"] == "NetworkPolicy")
    chosen = policy["spec"]["podSelector"]["matchLabels"].items()
    workloads = [each for each in manifests if pod(each) is not None]
    assert len(workloads) == 4
    assert all(chosen <= labelled(each).items() for each in workloads)
    ((opened,),) = (rule["ports"] for rule in policy["spec"]["ingress"])
    listening = {port["containerPort"] for each in workloads for c in containers(each) for port in c.get("ports", ())}
    assert {opened["port"]} == listening
    (ingress,) = (each for each in manifests if each["kind"] == "Ingress")
    named = {path["backend"]["service"]["name"] for path in ingress["spec"]["rules"][0]["http"]["paths"]}
    assert named <= {each["metadata"]["name"] for each in manifests if each["kind"] == "Service"}


def test_every_variable_is_a_setting() -> None:
    settings = {f"IMS_{name.upper()}" for name in Settings.model_fields}
    for manifests in RENDERED.values():
        for manifest in manifests:
            said = [each["name"] for container in containers(manifest) for each in container.get("env", ())]
            said += manifest["data"] if manifest["kind"] == "ConfigMap" else []
            assert {name for name in said if name.startswith("IMS_")} <= settings
            script = " ".join(word for container in containers(manifest) for word in container.get("args", ()))
            assert all(f"${name}" in script for name in said if not name.startswith("IMS_"))


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
        assert "lifecycle" not in container, "the process itself goes on serving until nobody sends it anything"
        serves = "api" in next(each["value"] for each in container["env"] if each["name"] == "IMS_RUN").split(",")
        drains = Settings.model_fields["drain_time"].default if serves else 0
        given = (pod(deployment) or {})["terminationGracePeriodSeconds"]
        assert given > drains + Settings.model_fields["shutdown_timeout"].default + DRAIN_SECONDS + RELEASE_SECONDS


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
