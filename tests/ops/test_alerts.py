"""Alarms: each fires at what it is there for and not at what only resembles it, has a page, and names what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.metrics import METRICS
from streams.cli import COMMANDS
from tests.ops.alarms import CASES, WELL, Case, Series
from tests.ops.test_dashboards import metrics_in
from tests.support.promtool import promtool
from tests.support.run_directory import CHECKOUT
from tests.support.settings_page import own_fields, settings_classes

ALERTS = CHECKOUT / "ops" / "prometheus" / "alerts.yml"
RUNBOOKS = CHECKOUT / "ops" / "runbooks"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
]
NAMES = [rule["alert"] for rule in RULES]
NORMAL = {
    "segue_collector_requests_total",
    "segue_collector_records_total",
    "segue_collector_unwritten_total",
    "segue_collector_withheld_total",
    "segue_collector_spooled_total",
    "segue_collector_spool_replayed_total",
    "segue_records_total",
    "segue_record_outcomes_total",
    "segue_records_late_total",
    "segue_transitions_total",
    "segue_timer_steps_total",
    "segue_ticks_total",
    "segue_definitions_changes_total",
    "segue_events_uncorrectable_total",
    "segue_detector_records_total",
    "segue_detector_corrections_total",
    "segue_detector_found_total",
}
"""Counters that rise where all is well; one that is not here must be in an alarm."""
SECTIONS = ["## What it means", "## Look at", "## Do", "## Over when"]


def by_name(rule: dict[str, Any]) -> str:
    return str(rule["alert"])


def test_promtool_accepts_the_rules_and_prometheus_loads_them(tmp_path: Path) -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", ALERTS)
    config = ALERTS.with_name("prometheus.yml")
    assert yaml.safe_load(config.read_text())["rule_files"] == [ALERTS.name]
    promtool("check", "config", config)
    mounts = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]["prometheus"]["volumes"]
    assert "./ops/prometheus/alerts.yml:/etc/prometheus/alerts.yml:ro" in mounts
    assert tmp_path.is_dir()


def evaluated(scenarios: dict[str, tuple[Series, frozenset[str]]], directory: Path) -> None:
    """Have promtool find exactly the alarms that are expected to fire at the end of the hour of each scenario."""
    tests = [
        {
            "name": name,
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in {**WELL, **changes}.items()],
            "promql_expr_test": [
                {
                    "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": "60m",
                    "exp_samples": [{"labels": f'{{alertname="{alarm}"}}', "value": 1} for alarm in sorted(expected)],
                }
            ],
        }
        for name, (changes, expected) in scenarios.items()
    ]
    path = directory / "alerts.test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", path)


def test_nothing_fires_where_all_is_well(tmp_path: Path) -> None:
    evaluated({"well": ({}, frozenset())}, tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alarm)
def test_an_alarm_fires_at_what_it_is_there_for_and_not_at_what_resembles_it(case: Case, tmp_path: Path) -> None:
    fires = (case.fires, case.too | {case.alarm})
    evaluated({"fires": fires, "almost": (case.almost, frozenset())}, tmp_path)


def test_no_target_and_no_series_at_all_is_an_alarm(tmp_path: Path) -> None:
    gone = dict.fromkeys(WELL, "_x60")
    evaluated({"gone": (gone, frozenset({"SegueTargetsAbsent", "SegueNoWorkerOwnsPartitions"}))}, tmp_path)


def test_every_alarm_has_been_seen_firing() -> None:
    assert {case.alarm for case in CASES} == set(NAMES)


def test_every_alarm_has_a_page_and_every_page_an_alarm() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert sorted(path.stem for path in RUNBOOKS.glob("Segue*.md")) == sorted(NAMES)


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_an_alarm_says_how_bad_it_is_and_where_its_page_is(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"Segue([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"ops/runbooks/{rule['alert']}.md"


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_an_alarm_reads_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    expression = rule["expr"]
    found = metrics_in(expression)
    assert found or "up{" in expression
    known: set[str] = set()
    for metric, suffix in found:
        own = set(metric.labels) | {"instance", "job"} | ({"le"} if suffix == "_bucket" else set())
        assert set(re.findall(rf"{metric.name}{suffix}\{{(\w+)", expression)) <= own
        known |= own
    grouped = {label for labels in re.findall(r"by \(([^)]+)\) \(", expression) for label in labels.split(", ")}
    assert grouped <= known


def test_every_counter_that_only_a_fault_raises_has_an_alarm() -> None:
    read = {metric.name for rule in RULES for metric, _ in metrics_in(rule["expr"])}
    counters = {metric.name for metric in METRICS if metric.kind == "counter"}
    assert counters - read <= NORMAL
    assert counters >= NORMAL


def test_every_threshold_has_its_reason_above_it() -> None:
    lines = ALERTS.read_text().splitlines()
    for place, line in enumerate(lines):
        if line.strip().startswith("- alert:"):
            assert lines[place - 1].strip().startswith("# "), line


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_it_means_what_to_look_at_what_to_do_and_when_it_is_over(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## .*$", text, re.MULTILINE) == SECTIONS
    for body in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]:
        assert body.strip()


@pytest.mark.parametrize("name", [*NAMES, "README"])
def test_a_page_names_commands_settings_metrics_and_pages_that_exist(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    for command in re.findall(r"`?segue ([a-z]+)", text):
        assert command in COMMANDS, command
    known = {f"SEGUE_{field.upper()}" for kind in settings_classes() for field in own_fields(kind)}
    assert set(re.findall(r"SEGUE_[A-Z_]+[A-Z]", text)) <= known
    names = {metric.name for metric in METRICS}
    assert set(re.findall(r"\bsegue_(?!dlq)[a-z_]+", text)) <= names
    for target in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in target:
            assert (RUNBOOKS / target).exists(), target


def test_pages_that_messages_speak_of_exist() -> None:
    for path in (CHECKOUT / "streams").rglob("*.py"):
        for page in re.findall(r"ops/runbooks/\w+\.md", path.read_text()):
            assert (CHECKOUT / page).exists(), f"{path}: {page}"
