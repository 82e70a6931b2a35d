"""The compose file: valid, whole, and about things that exist."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from service.app import DRAIN_SECONDS, RELEASE_SECONDS
from service.settings import Settings
from tests.servers.programs import needs

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("api", "followers")


def done(*command: str | Path) -> str:
    finished = subprocess.run(command, check=False, capture_output=True, text=True, cwd=DEPLOY)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def test_it_fits_the_schema_of_compose_files() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    done(checker, "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_there_are_two_processes_of_each_kind_with_all_that_they_need() -> None:
    assert SERVICES.keys() == {"api", "followers", "haproxy", "postgres", "redis", "prometheus", "grafana"}
    assert {name: SERVICES[name]["scale"] for name in OURS} == {"api": 2, "followers": 2}
    roles = {name: SERVICES[name]["environment"]["IMS_RUN"] for name in OURS}
    assert roles == {"api": "api", "followers": "projector,publisher,auditor"}


def test_what_starts_waits_until_what_it_needs_is_healthy() -> None:
    for name in OURS:
        needs = SERVICES[name]["depends_on"]
        assert {need: how["condition"] for need, how in needs.items()} == {
            "postgres": "service_healthy", "redis": "service_healthy",
        }  # fmt: skip
        assert all("healthcheck" in SERVICES[need] for need in needs)
    assert SERVICES["haproxy"]["depends_on"]["api"]["condition"] == "service_healthy"
    assert "HEALTHCHECK" in (DEPLOY / "Dockerfile").read_text()


def test_an_end_is_waited_for() -> None:
    limits = [Settings.model_fields[name].default for name in ("drain_time", "shutdown_timeout")]
    for name in OURS:
        given = float(SERVICES[name]["stop_grace_period"].removesuffix("s"))
        assert given > sum(limits) + DRAIN_SECONDS + RELEASE_SECONDS


def test_every_variable_is_a_setting() -> None:
    settings = {f"IMS_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        assert SERVICES[name]["environment"].keys() <= settings


def test_what_is_mounted_exists_and_data_is_in_volumes_that_are_declared() -> None:
    used = set()
    for service in SERVICES.values():
        for source in (mounted.partition(":")[0] for mounted in service.get("volumes", [])):
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
            else:
                used.add(source)
    assert used == COMPOSE["volumes"].keys()


def test_our_processes_may_do_little_and_nothing_is_open_to_the_network() -> None:
    for name in OURS:
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_asks_our_processes() -> None:
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
    assert job["job_name"] == "ims"
    assert set(job["dns_sd_configs"][0]["names"]) == set(OURS)


def test_grafana_finds_the_dashboard_where_it_looks() -> None:
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/ims.yaml").read_text())["providers"]
    mounted = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/ims.json" in mounted


@needs("promtool")
def test_prometheus_takes_its_configuration() -> None:
    done("promtool", "check", "config", "prometheus/prometheus.yaml")


@needs("haproxy")
def test_haproxy_takes_its_configuration() -> None:
    assert "[ALERT]" not in done("haproxy", "-c", "-f", "haproxy.cfg")
