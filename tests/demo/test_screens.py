"""What a person sees, on a terminal and without one."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from streams.demo.guests import GUEST
from streams.demo.measures import Latencies, Rate
from streams.demo.moves import Moved
from streams.demo.plain import PlainScreen
from streams.demo.scrape import Metrics
from streams.demo.show import Show
from streams.demo.terminal import TerminalScreen, picture
from tests.demo.records import published, transition
from tests.demo.test_tally import good_show

ENTERED = Moved(transition("ada-1", "cart_abandoners", 1, "timer"), 14)
LEFT = Moved(transition("ada-1", "cart_abandoners", 2, "event"), 7)


@pytest.fixture
def show() -> Show:
    """A show in which something has happened."""
    show = good_show()
    show.tiers = ("tier_cold", "tier_warm", "tier_hot")
    show.worker = Metrics('segue_lag_records{partition="0"} 2\nsegue_lag_records{partition="1"} 3\n')
    show.elapsed_s, show.seconds = 65.4, 90
    tally = show.tally
    tally.records["correction"] = 3
    for seq, tier in enumerate(["tier_cold", "tier_cold", "tier_warm", "tier_hot"], 4):
        tally.see([published(transition(f"c{seq}", tier, 1), seq)])
    for milliseconds in range(1, 101):
        tally.event_latency.add(milliseconds)
    tally.last.extend([ENTERED, LEFT, Moved(transition("c9", "tier_cold", 2), 5)])
    return show


def draw(show: Show, width: int, height: int) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height, force_terminal=False)
    console.print(picture(show, width, height), end="")
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50)])
def test_the_picture_fits_the_terminal_and_shows_everything(show: Show, width: int, height: int) -> None:
    lines = draw(show, width, height)
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    for words in (
        "01:05 of 01:30",
        "worker      lag 5",
        "machines    3 clicks taken back",
        "p50 50 ms, p99 99 ms",
        "all good",
        "cold 2",
        "warm 1",
        "hot 1",
        "last transitions, and why",
        "6 s of silence, nothing bought",
        "bought",
    ):
        assert words in text
    assert "…" not in text
    for segment in show.tally.segments:
        assert (segment in text) == (not segment.startswith("tier_"))


def test_the_newest_transitions_stay_when_there_is_little_room(show: Show) -> None:
    show.tally.last.extend(Moved(transition(f"visitor-{number}", "buyers", 1), 1) for number in range(100))
    lines = draw(show, 80, 24)
    assert len(lines) <= 24
    assert "visitor-99" in lines[-1]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 50)])
def test_the_person_at_the_browser_is_not_lost_among_the_visitors(show: Show, width: int, height: int) -> None:
    show.storefront = "http://127.0.0.1:54321/"
    assert "join in with a browser: http://127.0.0.1:54321/" in "\n".join(draw(show, width, height))
    for sequence in range(1, 6):
        show.tally.guests.move(Moved(transition(GUEST, "buyers", sequence), 3))
    show.tally.last.extend(Moved(transition(f"visitor-{number}", "buyers", 1), 1) for number in range(100))
    lines = draw(show, width, height)
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width
    (where,) = [number for number, line in enumerate(lines) if "you are in buyers" in line]
    assert [line.split()[1] for line in lines[where + 1 : where + 5]] == [GUEST, GUEST, GUEST, "last"]
    assert "visitor-99" in lines[-1]


def test_plain_lines_tell_every_move_of_the_person_at_the_browser_once(show: Show) -> None:
    lines: list[str] = []
    screen = PlainScreen(lines.append)
    show.storefront = "http://127.0.0.1:54321/"
    screen.open(show)
    assert "join in with a browser: http://127.0.0.1:54321/" in lines
    for sequence in range(1, 4):
        moved = Moved(transition(GUEST, "buyers", sequence), 3)
        show.tally.guests.move(moved)
        show.tally.last.append(moved)
        screen.refresh(show)
        screen.refresh(show)
    told = [line.split()[1:4] for line in lines if GUEST in line.split()]
    assert told == [[GUEST, "entered", "buyers"], [GUEST, "left", "buyers"], [GUEST, "entered", "buyers"]]


def test_faults_are_seen_at_once(show: Show) -> None:
    assert "no gap" in "\n".join(draw(show, 100, 30))
    show.tally.faults.append("[/]x transitions partition 0: 9 follows 3")
    show.tally.webhooks.refused = 2
    show.tally.recomputation.difference = "…"
    text = "\n".join(draw(show, 140, 30))
    assert "[/]x transitions partition 0: 9 follows 3" in text
    assert "2 refused" in text
    assert "differs" in text


def test_a_closing_shop_says_so(show: Show) -> None:
    show.closing = True
    assert "closing" in draw(show, 80, 24)[0]


def test_a_terminal_is_taken_while_the_shop_is_open_and_given_back(show: Show) -> None:
    out = StringIO()
    screen = TerminalScreen(Console(file=out, force_terminal=True, width=100, height=30))
    screen.say("starting")
    screen.open(show)
    screen.refresh(show)
    screen.close()
    screen.close()
    assert out.getvalue().count("\x1b[?1049h") == out.getvalue().count("\x1b[?1049l") == 1
    assert out.getvalue().index("starting") < out.getvalue().index("\x1b[?1049h")


def test_plain_lines_tell_each_kind_of_move_once_and_the_status_every_five_seconds(show: Show) -> None:
    lines: list[str] = []
    screen = PlainScreen(lines.append)
    show.elapsed_s = 1.0
    screen.open(show)
    screen.refresh(show)
    show.tally.last.extend([ENTERED, LEFT])
    screen.refresh(show)
    told = [line for line in lines if "cart_abandoners by" in line]
    assert told == [  # the time of day is UTC's
        "  14:13:20.000 ada-1 entered cart_abandoners by time: 6 s of silence, nothing bought (seen after 14 ms)",
        "  14:13:20.000 ada-1 left cart_abandoners by event: bought (seen after 7 ms)",
    ]
    assert not [line for line in lines if "events/s" in line]
    show.elapsed_s = 5.1
    screen.refresh(show)
    screen.refresh(show)
    (status,) = [line for line in lines if "events/s" in line]
    assert "lag 5" in status
    assert "by event 50 ms/99 ms" in status
    assert "buyers 1" in lines[-1]


def test_a_rate_forgets_what_is_older_than_its_window() -> None:
    rate = Rate(window_s=4.0)
    rate.add(8, 0.0)
    rate.add(4, 2.0)
    assert rate.per_second(2.0) == 3.0
    assert rate.per_second(4.5) == 1.0
    assert rate.per_second(10.0) == 0.0


def test_percentiles_are_values_that_were_measured() -> None:
    latencies = Latencies()
    assert latencies.percentile_ms(0.5) is None
    for value in (5, 1, 3, 2, 4):
        latencies.add(value)
    assert [latencies.percentile_ms(share) for share in (0.01, 0.5, 0.99)] == [1, 3, 5]
