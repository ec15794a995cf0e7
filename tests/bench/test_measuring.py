"""The parts of the benchmark that compute: percentiles, schedules, tables, charts, stacks."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from bench.charts import line_chart
from bench.growing import definitions, names_of
from bench.load import Outcome
from bench.pacing import Schedule
from bench.percentiles import percentile
from bench.profile.stacks import read_stacks
from bench.requests import BATCH, requests_of, transition_event
from bench.tables import Table, publish
from streams.segmentation import compile_definitions

_SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.001, 1), (0.5, 500), (0.99, 990), (0.999, 999), (0.9995, 1_000), (1.0, 1_000)]
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(share: float, expected: float) -> None:
    assert percentile(list(range(1_000, 0, -1)), share) == expected


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([7.5], 0.999) == 7.5
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 0.5)


def test_what_came_due_during_a_pause_is_due_at_its_own_instant_all_the_same() -> None:
    schedule = Schedule(begun_ns=5 * _SECOND_NS, per_second=10, total=8)
    assert list(schedule.ready(4 * _SECOND_NS)) == []
    assert list(schedule.ready(5 * _SECOND_NS)) == [(0, 5 * _SECOND_NS)]
    assert schedule.wait_s(5 * _SECOND_NS) == pytest.approx(0.1)
    after_a_pause = dict(schedule.ready(int(5.35 * _SECOND_NS)))
    assert after_a_pause == {number: 5 * _SECOND_NS + number * _SECOND_NS // 10 for number in (1, 2, 3)}
    assert schedule.wait_s(9 * _SECOND_NS) == 0.0
    assert [number for number, _ in schedule.ready(9 * _SECOND_NS)] == [4, 5, 6, 7]
    assert schedule.wait_s(9 * _SECOND_NS) is None


def test_answers_other_than_200_are_no_good_ones() -> None:
    assert Outcome({"200": 7, "503": 2}, 1.0, [], [], {}, 0).good == 7


def test_a_batch_carries_the_events_that_follow_one_another() -> None:
    head, _, body = requests_of("batch", transition_event)(3).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    events = json.loads(body)["batch"]
    assert [event["messageId"] for event in events] == [f"m{number}" for number in range(3 * BATCH, 4 * BATCH)]
    assert len({event["userId"] for event in events if event["event"] == "page_view"}) == BATCH // 10


@pytest.mark.parametrize("all_touched", [False, True])
def test_definitions_grow_to_any_number_of_segments(all_touched: bool) -> None:
    text = definitions(25, all_touched=all_touched)
    compile_definitions(yaml.safe_load(text))
    looked_at = {name: text.count(f"event: {name}\n") for name in names_of(25, all_touched=all_touched)}
    assert looked_at == ({"event_0": 30} if all_touched else {"event_0": 12, "event_1": 12, "event_2": 6})


def test_a_table_is_told_in_columns_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("rates", ("what", "events/s"), [("one", 12_345.6), ("none", None)], ["a note"])
    publish("test", [table], tmp_path / "made" / "rates.json")
    assert capsys.readouterr().out.splitlines()[:4] == [
        "rates",
        "  what  events/s",
        "  one     12,346",
        "  none         -",
    ]
    written = json.loads((tmp_path / "made" / "rates.json").read_text())
    assert written["tables"][0]["rows"] == [{"what": "one", "events/s": 12_345.6}, {"what": "none", "events/s": None}]
    assert written["machine"]["cores"] >= 1


def test_a_chart_is_well_formed_and_names_what_it_shows() -> None:
    chart = line_chart("R & D", "contacts", "events/s", {"a<b": [(1, 5.0), (1_000, 3.0)], "one": [(10, 0.0)]})
    texts = {element.text for element in ET.fromstring(chart).iter()}
    assert {"R & D", "contacts", "events/s", "a<b", "1k"} <= texts
    assert ET.fromstring(line_chart("flat", "x", "y", {"only": [(4, 0.0)]})) is not None


def test_stacks_are_summed_by_function_and_recursion_counts_once() -> None:
    stacks = read_stacks("main (a.py:1);walk (b.py:2);walk (b.py:9) 3\nmain (a.py:4) 1\n")
    assert (stacks.samples, stacks.own["walk (b.py)"], stacks.own["main (a.py)"]) == (4, 3, 1)
    assert (stacks.total["main (a.py)"], stacks.total["walk (b.py)"]) == (4, 3)
