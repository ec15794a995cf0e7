"""The report as a person sees it: a table of 80 columns, and a page that needs nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from rich.console import Console

from streams.cli import segue
from streams.report.charts import LINE_HEIGHT, WIDTH, flow, rows, step_line
from streams.report.figures import Bar, Interval, Report, ScoreFigures, SegmentFigures
from streams.report.page import page
from streams.report.table import tables
from tests.simulator.test_report import SCORED

NASTY = '<script>alert("1")</script>&\'"'
VOID = {"meta", "link", "br", "img", "hr", "input"}
DAY_MS = 86_400_000


def segment(name: str, description: str = "", count: int = 1_234_567) -> SegmentFigures:
    course = (Interval(0, count, 0, count), Interval(DAY_MS, 0, count // 2, count - count // 2))
    bars = (Bar("1 h to 6 h", count // 2), Bar("6 h to 1 d", 3))
    return SegmentFigures(name, description, (NASTY,), count, count // 2, 9, 3_600_000, DAY_MS, bars, course)


def report(segments: int, name: str = "segment") -> Report:
    scores = ScoreFigures(NASTY, NASTY, 3, True, (Bar(NASTY, 2), Bar("hot", 1)), -1.5, 0.25, 1234.5)
    figures = tuple(segment(f"{name}_{number}", NASTY) for number in range(segments))
    return Report(NASTY, (NASTY, "b"), 4, 0, 2 * DAY_MS, DAY_MS, (Bar("lines", 5), Bar("late", 0)), figures, (scores,))


class Elements(HTMLParser):
    """Elements and attributes of a page, and whether every element is closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("segments", [1, 60])
def test_a_page_is_whole_and_refers_to_nothing_outside_of_it(segments: int) -> None:
    text = page(report(segments))
    elements = Elements(text)
    assert elements.open == []
    assert not {"script", "link", "img", "iframe", "object", "use"} & {tag for tag, _ in elements.found}
    attributes = [(name, value or "") for _, found in elements.found for name, value in found.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name in ("src", "xlink:href", "style")]
    assert all(value.startswith("#") for name, value in attributes if name == "href")
    assert not re.findall(r"https?:|//|@import|url\(", text)
    ids = [value for name, value in attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    assert {value for name, value in attributes if name == "aria-labelledby"} <= set(ids)
    assert {value[1:] for name, value in attributes if name == "href"} <= set(ids)


def test_names_and_descriptions_are_escaped_wherever_they_stand() -> None:
    text = page(report(2, name=NASTY))
    assert "<script" not in text
    assert "alert(" in text
    assert "&amp;amp;" not in text
    assert "&amp;lt;" not in text


def test_every_chart_is_well_formed_and_says_in_words_what_it_shows() -> None:
    charts = re.findall(r"<svg.*?</svg>", page(report(2)), flags=re.DOTALL)
    assert len(charts) == 2 * 4 + 1
    for chart in charts:
        root = ElementTree.fromstring(chart)
        title = root.find("title")
        assert root.get("aria-hidden") == "true" or (root.get("role") == "img" and title is not None and title.text)
        assert float(root.attrib["viewBox"].split()[2]) == WIDTH


def test_the_same_report_gives_the_same_page() -> None:
    assert page(report(3)) == page(report(3))


def test_a_page_suits_dark_screens_phones_and_paper() -> None:
    text = page(report(1))
    for needed in ("prefers-color-scheme: dark", "@media print", "width=device-width", 'lang="en"'):
        assert needed in text


def test_a_line_of_members_begins_with_nobody_and_steps_where_something_happens() -> None:
    line = step_line((Interval(0, 4, 0, 4), Interval(50, 0, 3, 1)), 0, 100)
    assert line.greatest == 4
    assert line.line == f"M0 102H0.0V16.0H180.0V80.5H{WIDTH}"
    assert line.area == f"{line.line}V102Z"
    assert step_line((), 5, 5).line == f"M0 {LINE_HEIGHT - 18}H{WIDTH}"


def test_an_interval_that_began_before_the_first_record_is_drawn_at_the_beginning() -> None:
    assert "H0.0V" in step_line((Interval(0, 1, 0, 1),), 900, 1900).line


def test_bars_of_entries_and_exits_put_whole_intervals_together_and_lose_none() -> None:
    course = tuple(Interval(number * 10, 2, 1, number) for number in range(100))
    drawn = flow(course, 5, 995, 10)
    assert len(drawn.bars) == 34
    assert sum(bar.entries for bar in drawn.bars) == 200
    assert sum(bar.exits for bar in drawn.bars) == 100
    assert drawn.greatest == 6
    assert drawn.bars[0].at_ms == 5
    assert max(bar.x + bar.width for bar in drawn.bars) <= WIDTH
    assert flow((), 0, 0, 1000).bars == ()


def test_bars_of_a_histogram_share_their_room_and_long_labels_are_cut() -> None:
    short, long = rows((Bar("a", 1), Bar("b" * 40, 3)))
    assert (short.share, long.share) == ("25.0 %", "75.0 %")
    assert long.width == pytest.approx(3 * short.width)
    assert len(long.shown) == 18
    assert long.label == "b" * 40


@pytest.mark.parametrize("name", ["seen", "a_rather_long_name_of_a_segment_that_goes_on_and_on_and_on"])
def test_the_table_fits_into_80_columns_and_cuts_no_figure(name: str) -> None:
    console = Console(width=80, file=StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(*tables(report(2, name)), sep="\n")
    lines = capture.get().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert "…" not in capture.get()
    assert sum("617,284" in line and "1,234,567" in line for line in lines) == 2
    assert "".join(line.split(" ")[0] for line in lines).count(name) == 2


def test_a_report_leaves_transitions_where_they_were(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(json.dumps(SCORED))
    view = {"type": "track", "event": "page_view", "event_id": "e", "contact_id": "c"}
    line = json.dumps({**view, "occurred_at": "2026-01-01T00:00:00Z"}) + "\nbad\n"
    arguments = ["simulate", str(tmp_path / "d.yaml"), "-"]
    plain = CliRunner().invoke(segue, arguments, input=line)
    told = CliRunner().invoke(segue, [*arguments, "--report", "--html", str(tmp_path / "r.html")], input=line)
    assert (told.exit_code, told.stdout) == (0, plain.stdout)
    assert "2 lines, 1 records applied, 1 bad lines, 1 contacts, 1 transitions" in told.stderr
    assert "records of standard input" in (tmp_path / "r.html").read_text()
