"""What a failure says: what was expected, what was found instead, what really happened, and why."""

from __future__ import annotations

from typing import Any

from tests.scenarios.trying import Bench, one

CART = "- {at: start, event: cart_add}"
HOUR = "2026-03-02T10:00:00.000Z (+1h)"
WEEK = "2026-03-09T09:00:00.000Z (+7d)"


def failure(bench: Bench, given: str, expect: str, more: str = "until: +8d") -> Any:
    (found,) = bench.try_one(given, expect, more)
    return found


def test_who_comes_in_later_is_told_to_the_millisecond(bench: Bench) -> None:
    found = failure(bench, CART, "- {at: +1h-1ms, in: cart_abandoners}")
    assert found["expected"] == "ana in cart_abandoners at 2026-03-02T09:59:59.999Z (+1h-1ms)"
    assert found["found"] == f"not in; entered {HOUR}, by timer, 1ms later"
    assert [(move["type"], move["effective_at"]) for move in found["transitions"]] == [
        ("segment.entered", "2026-03-02T10:00:00.000Z"),
        ("segment.exited", "2026-03-09T09:00:00.000Z"),
    ]


def test_who_is_still_in_is_told_with_what_brought_and_what_would_end_it(bench: Bench) -> None:
    found = failure(bench, CART, "- {at: +2d, not_in: cart_abandoners}", "")
    assert found["expected"] == "ana not in cart_abandoners at 2026-03-04T09:00:00.000Z (+2d)"
    assert found["found"] == f"in; entered {HOUR}, by timer, 1d23h before; would leave at {WEEK}, as it stood then"


def test_a_time_that_is_broken_is_told_where_it_breaks(bench: Bench) -> None:
    given = f"{CART}\n- {{at: +2d, event: purchase}}"
    found = failure(bench, given, "- {from: +1h, before: +7d, in: cart_abandoners}")
    assert found["expected"] == f"ana in cart_abandoners from {HOUR} until just before {WEEK}"
    assert found["found"] == "not in; exited 2026-03-04T09:00:00.000Z (+2d), by event purchase, at that instant"


def test_the_transition_that_comes_closest_is_told(bench: Bench) -> None:
    given = f"{CART}\n- {{at: +2d, event: cart_add}}"
    found = failure(bench, given, "- {segment: cart_abandoners, entered_at: +2d}")
    assert found["expected"] == "ana in cart_abandoners: entered 2026-03-04T09:00:00.000Z (+2d)"
    assert found["found"] == "entered 2026-03-04T10:00:00.000Z (+2d1h), by timer, 1h later"


def test_another_cause_is_told(bench: Bench) -> None:
    found = failure(bench, CART, "- {segment: cart_abandoners, entered_at: +1h, cause: event}")
    assert found["expected"] == f"ana in cart_abandoners: entered {HOUR}, by event"
    assert found["found"] == f"entered {HOUR}, by timer, at that instant"


def test_what_never_happened_is_told_with_how_far_was_looked_and_what_would_come(bench: Bench) -> None:
    found = failure(bench, CART, "- {segment: clickers, entered_at: +1h}", "")
    assert found["found"] == f"never entered until {HOUR}"
    found = failure(bench, CART, "- {segment: cart_abandoners, exited_at: +2d}", "")
    assert found["found"] == (
        f"never exited until 2026-03-04T09:00:00.000Z (+2d); would leave at {WEEK}, as it stood then"
    )


def test_a_list_of_transitions_is_told_as_a_difference(bench: Bench) -> None:
    given = f"{CART}\n- {{at: +2d, event: cart_add}}"
    expect = """
        - segment: cart_abandoners
          transitions: [{entered_at: +1h}, {exited_at: +7d}]
    """
    found = failure(bench, given, expect, "until: +9d")
    assert found["found"] == "4 transitions"
    assert [(line["mark"], line["text"]) for line in found["difference"]] == [
        (" ", f"entered {HOUR}, by timer"),
        ("-", f"exited {WEEK}"),
        ("+", "exited 2026-03-04T09:00:00.000Z (+2d), by event cart_add"),
        ("+", "entered 2026-03-04T10:00:00.000Z (+2d1h), by timer"),
        ("+", "exited 2026-03-11T09:00:00.000Z (+9d), by timer"),
    ]


def test_in_a_difference_only_the_cause_may_differ(bench: Bench) -> None:
    expect = "- {segment: cart_abandoners, transitions: [{entered_at: +1h, cause: event}, {exited_at: +7d}]}"
    found = failure(bench, CART, expect)
    assert found["found"] == "2 transitions, but not these"
    assert [(line["mark"], line["text"]) for line in found["difference"]] == [
        ("-", f"entered {HOUR}, by event"),
        ("+", f"entered {HOUR}, by timer"),
        (" ", f"exited {WEEK}, by timer"),
    ]


def test_segments_that_are_missing_or_too_many_are_marked(bench: Bench) -> None:
    given = "- {at: start, event: email_click}\n- {at: start, list: vip}"
    found = failure(bench, given, "- {at: start, only_in: [vips, french]}")
    assert [(line["mark"], line["text"]) for line in found["difference"]] == [
        ("+", "clickers"),
        (" ", "vips"),
        ("-", "french"),
    ]


def test_a_score_is_told_with_its_reading_and_its_tier(bench: Bench) -> None:
    found = failure(bench, CART, "- {at: +1h, score: {name: engagement, between: [15, 16]}}")
    assert found["expected"] == f"engagement of ana between 15 and 16 at {HOUR}"
    assert found["found"] == "14.938, tier warm"
    found = failure(bench, CART, "- {at: +7d, tier: {name: engagement, is: hot}}")
    assert (found["expected"], found["found"]) == (f"engagement of ana in tier hot at {WEEK}", "7.5")


def test_nothing_and_no_points_are_told_as_such(bench: Bench) -> None:
    found = failure(bench, CART, "- {at: +1h, only_in: []}")
    assert (found["expected"], found["found"]) == (f"segments of ana at {HOUR}: none", "cart_abandoners")
    found = failure(bench, CART, "- {at: +1h, score: {name: engagement, between: [-1.5, 0]}}")
    assert found["expected"] == f"engagement of ana between -1.5 and 0 at {HOUR}"


def test_one_line_says_why_the_contact_is_out_or_in(bench: Bench) -> None:
    found = failure(bench, CART, "- {at: +30m, in: cart_abandoners}")
    assert found["why"].startswith("not in at 2026-03-02T09:30:00.000Z (+30m): ")
    assert "cart_add in 1h" in found["why"]
    assert found["why"].endswith(f"(turns by itself at {HOUR})")
    found = failure(bench, CART, "- {segment: cart_abandoners, never_entered: true}")
    assert found["why"].startswith(f"in at {HOUR}: ")
    found = failure(bench, CART, "- {at: start-1ms, in: cart_abandoners}")
    assert found["why"] == "nothing is known of ana at 2026-03-02T08:59:59.999Z (-1ms)"


def test_why_is_told_where_the_membership_contradicts_what_was_expected(bench: Bench) -> None:
    found = failure(bench, CART, "- {segment: cart_abandoners, exited_at: +1h}")
    assert found["why"].startswith(f"in at {HOUR}: ")
    assert failure(bench, CART, "- {segment: cart_abandoners, entered_at: +2h}")["why"] is None
    assert failure(bench, CART, "- {segment: cart_abandoners, exited_at: +7d1h}")["why"] is None


def test_of_a_list_of_transitions_why_is_told_of_the_first_that_differs(bench: Bench) -> None:
    found = failure(bench, CART, "- {segment: cart_abandoners, transitions: [{entered_at: +1h}, {exited_at: +6d}]}")
    assert found["why"].startswith("in at 2026-03-08T09:00:00.000Z (+6d): ")
    found = failure(bench, CART, "- {segment: cart_abandoners, transitions: [{entered_at: +1h}, {exited_at: +8d}]}")
    assert found["why"].startswith(f"not in at {WEEK}: ")


def test_a_name_that_no_definition_looks_at_is_told_if_it_looks_like_one(bench: Bench) -> None:
    given = "- {at: start, event: cart_ad}\n- {at: start, traits: {Country: FR}}\n- {at: start, event: anything}"
    outcome = bench.outcome(one(given, "- {at: +1h, in: [cart_abandoners, french]}"))
    assert outcome["scenarios"][0]["notes"] == [
        "no definition looks at the event cart_ad; did you mean cart_add?",
        "no definition looks at the trait Country; did you mean country?",
    ]


def test_without_a_start_instants_are_told_as_they_are(bench: Bench) -> None:
    text = """
scenarios:
  plain:
    contact: ana
    given: [{at: 2026-03-02T09:00:00Z, event: cart_add}]
    expect: [{at: 2026-03-02T10:00:00Z, not_in: cart_abandoners}]
"""
    (found,) = bench.outcome(text)["scenarios"][0]["failures"]
    assert found["expected"] == "ana not in cart_abandoners at 2026-03-02T10:00:00.000Z"


def test_of_very_many_transitions_the_first_and_the_last_are_shown(bench: Bench) -> None:
    given = "- {at: start, event: cart_add, times: 20, every: 2h}"
    lines = bench.run(one(given, "- {at: +1d1h, in: french, not_in: cart_abandoners}", "until: +30d")).stdout
    assert lines.count("entered ") + lines.count("exited ") < 40
    assert "… and 28 more …" in lines
