"""The figures of a report, held to a plain count over all transitions."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, note
from hypothesis import strategies as st

from schemas.instants import format_instant, parse_instant
from schemas.transitions import Transition
from streams.cli import segue
from streams.report.durations import duration_text, stay_bars
from streams.report.figures import FLAP_MS, Bar, Report, SegmentFigures
from streams.report.observing import INTERVALS_MAX, Observer, percentile
from streams.report.scoring import BARS_MAX, reading_bars
from streams.report.summing import report_of
from streams.segmentation import compile_definitions
from streams.simulation.simulator import Simulator
from tests.oracle.drawn_records import Case, cases
from tests.oracle.fuzzing import SEED, fuzzed
from tests.simulator.drawn import EVERYTHING, simulated

START_MS = parse_instant("2026-01-01T00:00:00Z")
HOUR_MS = 3_600_000
SCORED = {
    "version": 1,
    "scores": {
        "heat": {"points": [{"event": "page_view", "points": 5}], "tiers": {"warm": 10, "hot": 20}},
        "plain": {"points": [{"event": "page_view", "points": 0.5}]},
    },
    "segments": {
        "seen": {"description": "Seen lately.", "when": {"performed": {"event": "page_view", "within": "1h"}}}
    },
}


def viewed(data: dict[str, object], views: list[tuple[str, int]], until_ms: int, decoded_max: int = 9) -> Report:
    """The report of views by contacts at instants after `START_MS`."""
    definitions = compile_definitions(data)
    simulator, observer = Simulator(definitions, contacts_decoded_max=decoded_max), Observer(definitions)
    lines = [
        json.dumps(
            {
                "type": "track", "event": "page_view", "event_id": str(number), "contact_id": contact,
                "occurred_at": format_instant(START_MS + at_ms),
            }
        ).encode()
        for number, (contact, at_ms) in enumerate(views)
    ]  # fmt: skip
    for result in [*simulator.feed(lines), *simulator.until(START_MS + until_ms)]:
        assert isinstance(result, Transition)
        observer.see(result)
    return report_of(simulator, observer, ("d.yaml", ["e.jsonl"]))


def counted(moves: list[Transition]) -> tuple[int, int, int, list[int]]:
    """Entries, exits, contacts that flap, and stays in order of length, by looking at each contact's moves in turn."""
    by_contact = defaultdict(list)
    for move in moves:
        by_contact[move.contact_id].append((move.type, move.effective_at))
    stays, flapping = [], set()
    for contact, turns in by_contact.items():
        for (_, before), (kind, at) in pairwise(turns):
            if kind == "segment.exited":
                stays.append(at - before)
            elif at - before <= FLAP_MS:
                flapping.add(contact)
    entries = sum(move.type == "segment.entered" for move in moves)
    return entries, len(moves) - entries, len(flapping), sorted(stays)


def assert_counted(figures: SegmentFigures, moves: list[Transition], interval_ms: int) -> None:
    entries, exits, flapping, stays = counted(moves)
    assert (figures.entries, figures.exits, figures.flapping) == (entries, exits, flapping)
    assert figures.members == entries - exits
    for percent, found in ((50, figures.stay_median_ms), (90, figures.stay_p90_ms)):
        expected = next((stay for stay in stays if sum(x <= stay for x in stays) * 100 >= percent * len(stays)), None)
        assert found == expected
    assert sum(bar.count for bar in figures.stays) == len(stays)
    assert len(figures.course) <= INTERVALS_MAX
    for interval in figures.course:
        end_ms = interval.at_ms + interval_ms
        inside = [move for move in moves if interval.at_ms <= move.effective_at < end_ms]
        assert interval.entries == sum(move.type == "segment.entered" for move in inside)
        assert interval.exits == sum(move.type == "segment.exited" for move in inside)
        before = [move for move in moves if move.effective_at < end_ms]
        assert interval.members == sum(1 if move.type == "segment.entered" else -1 for move in before)
    assert sum(interval.entries + interval.exits for interval in figures.course) == len(moves)


@fuzzed(0.02)
@given(case=cases(EVERYTHING), partitions=st.sampled_from((1, 3)))
def test_the_figures_are_those_of_a_plain_count(case: Case, partitions: int) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    definitions = compile_definitions(case.file)
    simulator, moves = simulated(case, partitions)
    observer = Observer(definitions)
    for move in moves:
        observer.see(move)
    report = report_of(simulator, observer, ("d.yaml", ["e.jsonl"]))
    assert [figures.name for figures in report.segments] == list(case.file["segments"])
    for figures in report.segments:
        assert_counted(figures, [move for move in moves if move.segment == figures.name], report.interval_ms)
    totals = {bar.label: bar.count for bar in report.totals}
    assert totals["transitions"] == len(moves)
    assert totals["lines"] == len(case.bodies)
    records = (
        "records applied",
        "duplicates",
        "before an erasure",
        "records that changed nothing",
        "ticks",
    )
    assert sum(totals.get(name, 0) for name in records) == len(case.bodies)
    existing = [contact for contact in simulator.contacts.values() if contact.exists]
    assert totals["contacts"] == len(existing)
    for score in report.scores:
        assert score.contacts == sum(bar.count for bar in score.bars) == len(existing)


def test_a_course_of_years_keeps_to_few_intervals_and_loses_no_move() -> None:
    views = [(f"c{number % 7}", number * 5 * HOUR_MS) for number in range(3000)]
    report = viewed(SCORED, views, 3000 * 5 * HOUR_MS)
    (seen,) = report.segments
    assert (seen.entries, seen.exits, seen.members) == (3000, 3000, 0)
    assert INTERVALS_MAX / 2 - 1 <= len(seen.course) <= INTERVALS_MAX
    assert sum(interval.entries for interval in seen.course) == 3000
    assert (report.begun_ms, report.ended_ms) == (START_MS, START_MS + 3000 * 5 * HOUR_MS)


def test_who_comes_back_within_a_day_flaps_and_is_counted_once() -> None:
    day = 24 * HOUR_MS
    views = [("late", 0), ("often", 0), ("often", 2 * HOUR_MS), ("often", 4 * HOUR_MS)]
    report = viewed(SCORED, [*views, ("late", day + HOUR_MS + 1)], 9 * day)
    assert report.segments[0].flapping == 1
    report = viewed(SCORED, [*views, ("late", day + HOUR_MS)], 9 * day)
    assert report.segments[0].flapping == 2


@pytest.mark.parametrize("decoded_max", [1, 9])
def test_scores_are_told_by_tier_or_where_there_are_none_by_reading(decoded_max: int) -> None:
    views = [(contact, number) for contact, count in (("a", 1), ("b", 2), ("c", 5)) for number in range(count)]
    heat, plain = viewed(SCORED, views, HOUR_MS, decoded_max).scores
    assert heat.bars == (Bar("no tier", 1), Bar("warm", 1), Bar("hot", 1))
    assert (heat.least, heat.median, heat.greatest, heat.by_tier) == (5, 10, 25, True)
    assert (plain.contacts, plain.by_tier) == (3, False)
    assert plain.bars[0] == Bar("0.4 to 0.6", 1)
    assert sum(bar.count for bar in plain.bars) == 3


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=30))
def test_readings_fall_into_few_bars_of_even_width(readings: list[int]) -> None:
    bars = reading_bars(sorted(readings))
    assert 1 <= len(bars) <= BARS_MAX
    bounds = [tuple(float(text.replace(",", "")) * 1000 for text in bar.label.split(" to ")) for bar in bars]
    for bar, (low, high) in zip(bars, bounds, strict=True):
        assert bar.count == sum(round(low) <= reading < round(high) for reading in readings)
    assert len({round(high - low) for low, high in bounds}) == 1


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[int], percent: int) -> None:
    found = percentile(sorted(values), percent)
    assert found is not None
    assert sum(value <= found for value in values) >= math.ceil(len(values) * percent / 100)
    assert sum(value < found for value in values) < len(values) * percent / 100


def test_stays_lie_between_steps_of_which_the_lower_belongs_to_them() -> None:
    minute = 60_000
    assert stay_bars([]) == ()
    assert stay_bars([minute, 59_999, 3 * HOUR_MS]) == (
        Bar("under 1 m", 1),
        Bar("1 m to 10 m", 1),
        Bar("10 m to 1 h", 0),
        Bar("1 h to 6 h", 1),
    )
    assert stay_bars([400 * 24 * HOUR_MS]) == (Bar("365 d and more", 1),)


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (90_500, "1 m 30 s"),
        (HOUR_MS, "1 h"),
        (HOUR_MS + 59_000, "1 h"),
        (25 * HOUR_MS, "1 d 1 h"),
        (24 * HOUR_MS - 1, "23 h 59 m"),
    ],
)
def test_durations_are_told_in_their_two_largest_units(duration_ms: int | None, text: str) -> None:
    assert duration_text(duration_ms) == text


def test_a_simulation_of_nothing_has_a_report_too(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(json.dumps(SCORED))
    html = tmp_path / "r.html"
    arguments = ["simulate", str(tmp_path / "d.yaml"), "-", "--report", "--html", str(html)]
    result = CliRunner().invoke(segue, arguments, input="")
    assert result.exit_code == 0, result.output
    assert "heat, 0 contacts" in result.stderr
    assert "Nobody was ever in it." in html.read_text()
