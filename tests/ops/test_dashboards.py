"""Dashboards ask only for metrics and labels that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from schemas.metrics import METRICS, Metric
from tests.support.run_directory import CHECKOUT

GRAFANA = CHECKOUT / "ops" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
BY_NAME = {metric.name: metric for metric in METRICS}
SUFFIXES = ("_bucket", "_sum", "_count")
ADDED_BY_PROMETHEUS = {"instance", "job"}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def expressions() -> list[tuple[str, str]]:
    found = []
    for path in DASHBOARDS:
        for panel in panels(json.loads(path.read_text())):
            found += [(panel["title"], target["expr"]) for target in panel.get("targets", [])]
    return found


EXPRESSIONS = expressions()


def metrics_in(expression: str) -> list[tuple[Metric, str]]:
    """The metrics that an expression reads, each with the suffix of the series."""
    found = []
    for name in re.findall(r"\bsegue_[a-z0-9_]+", expression):
        suffix = next((ending for ending in SUFFIXES if name.endswith(ending) and name not in BY_NAME), "")
        base = name.removesuffix(suffix)
        assert base in BY_NAME, f"{name} is not in schemas/metrics.py"
        assert bool(suffix) == (BY_NAME[base].kind == "histogram"), name
        found.append((BY_NAME[base], suffix))
    return found


def test_there_are_expressions_to_look_at() -> None:
    assert len(EXPRESSIONS) > 30


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_an_expression_reads_metrics_that_exist(title: str, expression: str) -> None:
    assert metrics_in(expression), title


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_an_expression_uses_labels_that_its_metrics_have(title: str, expression: str) -> None:
    grouped = {
        label.strip()
        for labels in re.findall(r"\b(?:by|without) \(([^)]*)\)", expression)
        for label in labels.split(",")
    }
    selected = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
    for metric, suffix in metrics_in(expression):
        own = set(metric.labels) | ADDED_BY_PROMETHEUS | ({"le"} if suffix == "_bucket" else set())
        assert grouped | selected <= own, title


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_counters_are_read_by_rate_or_increase_and_gauges_are_not(title: str, expression: str) -> None:
    for metric, suffix in metrics_in(expression):
        series = metric.name + suffix
        is_rate = re.search(rf"\b(rate|increase)\({series}\b", expression) is not None
        never_reset = title == "Gaps; partitions stopped"  # a count since the start is what a person wants there
        assert is_rate == (metric.kind != "gauge") or never_reset, title


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_have_ids_of_their_own_and_do_not_overlap(path: Any) -> None:
    dashboard = json.loads(path.read_text())
    ids = [panel["id"] for panel in panels(dashboard)]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {metric.name for _, expression in EXPRESSIONS for metric, _ in metrics_in(expression)}
    assert set(BY_NAME) == shown


def test_panels_ask_the_data_source_that_is_provisioned() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    for path in DASHBOARDS:
        for panel in panels(json.loads(path.read_text())):
            if panel["type"] != "row":
                assert panel["datasource"]["uid"] == sources[0]["uid"]
