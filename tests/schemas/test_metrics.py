"""The list of metrics keeps Prometheus' conventions, and nobody's name gets into a label."""

from __future__ import annotations

import re

import pytest
from prometheus_client import generate_latest

from schemas.metrics import METRICS, Meters, Metric, Role

NAMES = [metric.name for metric in METRICS]
ROLES: tuple[Role, ...] = ("collector", "worker", "detector", "consumer")
ALLOWED_LABELS = {
    "route", "status", "type", "reason", "outcome", "segment", "cause", "partition", "answer", "call", "stage",
    "provider", "event",
}  # fmt: skip


def metrics_named(metric: Metric) -> str:
    return metric.name


def test_every_name_stands_once() -> None:
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("metric", METRICS, ids=metrics_named)
def test_a_name_has_our_prefix_and_a_base_unit(metric: Metric) -> None:
    assert re.fullmatch(r"segue_[a-z][a-z0-9]*(_[a-z0-9]+)*", metric.name)
    assert not re.search(r"_(ms|millis|milliseconds|minutes|kb|mb|percent)(_|$)", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not metric.name.endswith(("_count", "_sum", "_bucket", "_created", "_info"))
    if metric.kind == "histogram":
        assert metric.name.endswith(("_seconds", "_bytes", "_records", "_entries"))
        assert list(metric.buckets) == sorted(set(metric.buckets))


@pytest.mark.parametrize("metric", METRICS, ids=metrics_named)
def test_a_metric_is_explained_in_a_sentence_and_belongs_to_a_program(metric: Metric) -> None:
    assert metric.help.endswith(".")
    assert metric.roles


@pytest.mark.parametrize("metric", METRICS, ids=metrics_named)
def test_labels_are_those_whose_values_are_few_and_name_nobody(metric: Metric) -> None:
    assert set(metric.labels) <= ALLOWED_LABELS
    assert all(len(values) == len(metric.labels) for values in metric.values)
    assert len(set(metric.values)) == len(metric.values)


@pytest.mark.parametrize("role", ROLES)
def test_series_known_beforehand_begin_at_zero(role: Role) -> None:
    exported = generate_latest(Meters(role).registry).decode()
    for metric in METRICS:
        if role not in metric.roles or metric.kind == "histogram":
            continue
        for values in metric.values or ([()] if not metric.labels else []):
            labels = ",".join(f'{name}="{value}"' for name, value in zip(metric.labels, values, strict=True))
            series = f"{metric.name}{{{labels}}}" if labels else metric.name
            assert f"{series} 0.0" in exported


@pytest.mark.parametrize("role", ROLES)
def test_a_program_has_its_own_metrics_and_no_others(role: Role) -> None:
    described = set(re.findall(r"^# HELP (\S+)", generate_latest(Meters(role).registry).decode(), re.MULTILINE))
    own = {metric.name for metric in METRICS if role in metric.roles}
    # For each counter and histogram the client adds when it began.
    assert {name for name in described if not name.endswith("_created")} == own


def test_a_name_that_is_not_in_the_list_cannot_be_used() -> None:
    meters = Meters("worker")
    with pytest.raises(KeyError):
        meters.counter("segue_invented_total")
    with pytest.raises(AssertionError, match="is no Gauge"):
        meters.gauge("segue_ticks_total")
