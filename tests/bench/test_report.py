"""Results as JSON, as a table and as charts."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.report.chart import Bar, chart
from bench.report.markdown import page, table
from bench.report.results import Comparison, Cost, Entry, Result, lines
from bench.report.writing import read, write


def result(name: str, number: int, per_second: float | None, verdict: str = "right") -> Result:
    cost = None if per_second is None else Cost(1e6 / per_second, 2.0, None if name == "slow" else 3.0)
    return Result(name, number, 1_000, verdict.startswith("right"), verdict, 100.0, per_second, cost)


@pytest.fixture
def comparison() -> Comparison:
    names = {"segue": "Segue", "slow": "Slow <one>", "wrong": "Wrong"}
    return Comparison(
        date="2026-01-01",
        commit="abc",
        command="python -m bench compare",
        machine={"cores": "2"},
        servers={"Kafka": "4.1.0"},
        events=1_000,
        contacts=10,
        transitions=300,
        baseline="segue",
        entries=[Entry(name, title, "how", "1.0") for name, title in names.items()],
        results=[
            *(result("segue", number, rate) for number, rate in enumerate((100.0, 300.0, 200.0))),
            *(result("slow", number, rate) for number, rate in enumerate((50.0, 50.0, 50.0))),
            *(result("wrong", number, 900.0, "WRONG: 3 missing") for number in range(3)),
        ],
    )


def test_contenders_are_held_against_segue_of_the_same_round(comparison: Comparison) -> None:
    first, second, last = lines(comparison)
    assert [line.entry.name for line in (first, second, last)] == ["segue", "slow", "wrong"]
    assert first.per_second == (100.0, 200.0, 300.0)
    assert second.times == (2.0, 4.0, 6.0)
    assert second.contender_s == (20_000.0, 20_000.0, 20_000.0)
    assert second.broker_s is None
    assert last.per_second is None
    assert last.faults == ["WRONG: 3 missing"] * 3


def test_a_disqualified_contender_is_shown_with_the_reason_and_no_figure(comparison: Comparison) -> None:
    [row] = [row for row in table(comparison).splitlines() if row.startswith("| Wrong")]
    assert "WRONG: 3 missing" in row
    assert "0" not in row.replace("3 missing", "")


def test_one_wrong_round_is_not_hidden_by_right_ones(comparison: Comparison) -> None:
    comparison.results.append(result("segue", 3, 900.0, "WRONG: 1 off"))
    [row] = [row for row in table(comparison).splitlines() if row.startswith("| Segue")]
    assert "WRONG: 1 off" in row


def test_a_table_has_as_many_cells_in_each_row(comparison: Comparison) -> None:
    assert {row.count("|") for row in table(comparison).splitlines()} == {10}


def test_json_reads_back(comparison: Comparison, tmp_path: Path) -> None:
    write(comparison, tmp_path)
    assert read((tmp_path / "comparison.json").read_text()) == comparison


def test_a_page_shows_the_charts_that_lie_beside_it(comparison: Comparison, tmp_path: Path) -> None:
    written = write(comparison, tmp_path)
    charts = [path for path in written if path.suffix == ".svg"]
    assert len(charts) == 2
    text = (tmp_path / "comparison.md").read_text()
    for path in charts:
        assert f"({path.name})" in text
        ElementTree.fromstring(path.read_text())
    assert page(comparison) != text


def test_the_longest_bar_fits_with_its_figure_behind_it() -> None:
    bars = [Bar("a", (10.0,), "10", (9.0, 14.0), True), Bar("b & c", (1.0, 2.0, 3.0), "6")]
    root = ElementTree.fromstring(chart("Title", "note", bars, ("x", "y", "z")))
    width = float(root.attrib["viewBox"].split()[2])
    space = "{http://www.w3.org/2000/svg}"
    rights = [float(each.attrib["x"]) + float(each.attrib["width"]) for each in root.iter(f"{space}rect")]
    assert max(rights) < width
    assert len(rights) == 4 + 3
    assert "b & c" in [each.text for each in root.iter(f"{space}text")]
