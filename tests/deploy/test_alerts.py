"""Alerts and dashboard speak of metrics that exist, and each alert of a paragraph that exists."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.names import known, used
from tests.servers.programs import needs

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return list(group["rules"])


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana" / "ims.json").read_text())


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_asks_for_metrics_that_exist(alert: dict[str, Any]) -> None:
    assert used(alert["expr"]) <= known()
    assert used(alert["expr"]) or "up{" in alert["expr"]


def test_every_alert_has_a_paragraph_and_every_paragraph_an_alert() -> None:
    titles = re.findall(r"^## (\w+)$", (DEPLOY / "RUNBOOK.md").read_text(), re.MULTILINE)
    assert titles == [alert["alert"] for alert in alerts()]
    for alert in alerts():
        assert alert["annotations"]["runbook_url"] == f"deploy/RUNBOOK.md#{alert['alert'].lower()}"


def test_each_paragraph_says_what_it_means_how_to_look_and_what_to_do() -> None:
    for paragraph in (DEPLOY / "RUNBOOK.md").read_text().split("\n## ")[1:]:
        assert [word for word in ("**Means**", "**Look**", "**Do**") if word not in paragraph] == [], paragraph


def test_the_runbook_names_metrics_that_exist() -> None:
    assert used((DEPLOY / "RUNBOOK.md").read_text()) <= known()


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    queries = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    assert set().union(*map(used, queries)) <= known()


def test_the_dashboard_shows_every_metric_of_the_service() -> None:
    queries = " ".join(target["expr"] for panel in dashboard()["panels"] for target in panel["targets"])
    families = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in known() if name.startswith("ims_")}
    assert {family for family in families if family not in queries} == set()


@needs("promtool")
def test_the_alerts_fire_when_they_should() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts_test.yaml"],
        check=False, cwd=ALERTS.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    tests = yaml.safe_load((ALERTS.parent / "alerts_test.yaml").read_text())["tests"]
    fired = {test["alertname"] for case in tests for test in case["alert_rule_test"] if test.get("exp_alerts")}
    assert fired == {alert["alert"] for alert in alerts()}
