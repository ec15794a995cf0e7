"""What is suspected, and from where on: by example, and in drawn cases against a brute force over all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Suspicion, Track
from streams.detecting.rules import Thresholds
from tests.detecting.mails import THRESHOLDS, Story, clicked, delivered, opened, trapped


def test_links_of_one_mail_that_are_followed_at_once_are_a_burst() -> None:
    story = Story().take(clicked("a", 0), clicked("b", 500))
    assert story.marks() == {}
    assert story.take(clicked("c", 1_000)).marks() == {"a": ["burst"], "b": ["burst"], "c": ["burst"]}
    assert story.take(clicked("d", 1_500)).marks() == {"d": ["burst"]}, "the others are known"


def test_a_person_who_follows_links_one_after_the_other_is_none() -> None:
    assert Story().take(clicked("a", 0), clicked("b", 500), clicked("c", 1_001)).marks() == {}


def test_one_link_that_is_followed_again_and_again_is_no_burst() -> None:
    assert Story().take(*(clicked(f"e{number}", number, link="sale") for number in range(10))).marks() == {}


@pytest.mark.parametrize(
    "other",
    [
        {"properties": {"campaign_id": "other"}},
        {"properties": {"email_id": "m2"}},
        {"properties": {"campaign_id": None}},
        {"contact": "c2"},
    ],
)
def test_links_of_another_mail_or_contact_do_not_add_to_a_burst(other: dict[str, Any]) -> None:
    story = Story().take(clicked("a", 0), clicked("b", 1), clicked("c", 2, **other))
    assert story.marks() == {}


def test_clicks_that_are_told_of_together_are_no_burst_when_they_happened_apart() -> None:
    clicks = [clicked(name, at) for name, at in (("a", 0), ("b", 60_000), ("c", 120_000))]
    assert Story().take(*clicks, at=180_000).marks() == {}


@pytest.mark.parametrize("order", [1, -1], ids=["the delivery first", "the delivery last"])
@pytest.mark.parametrize(("at", "is_machine"), [(-2_001, False), (-2_000, True), (2_000, True), (2_001, False)])
def test_an_open_within_seconds_of_the_delivery_is_a_machines(order: int, at: int, is_machine: bool) -> None:
    records = [delivered("d", 0), opened("o", at)][::order]
    assert Story().take(*records, at=30_000).marks() == ({"o": ["after_delivery"]} if is_machine else {})


def test_what_a_provider_tells_with_the_mails_id_and_our_own_link_without_one_are_of_one_mail() -> None:
    story = Story().take(delivered("d", 0, properties={"email_id": "m1"}), clicked("a", 500))
    assert story.marks() == {"a": ["after_delivery"]}


def test_a_mail_of_the_same_campaign_that_is_another_one_says_nothing() -> None:
    sent = delivered("d", 0, properties={"email_id": "m1"})
    assert Story().take(sent, opened("o", 500, properties={"email_id": "m2"})).marks() == {}


def test_a_campaign_is_the_same_written_as_a_number_or_as_text() -> None:
    sent = delivered("d", 0, properties={"campaign_id": 7})
    assert Story().take(sent, opened("o", 1, properties={"campaign_id": "7"})).marks() == {"o": ["after_delivery"]}


def test_who_follows_a_link_that_no_person_sees_opened_and_clicked_the_rest_too() -> None:
    story = Story().take(opened("o", 0), trapped("t", 10_000), clicked("a", 20_000), clicked("b", 20_001))
    assert story.marks() == {"o": ["near_honeypot"], "a": ["near_honeypot"]}


def test_a_rule_whose_span_is_0_is_off() -> None:
    records = (delivered("d", 0), trapped("t", 0), clicked("a", 0), clicked("b", 0))
    assert set(Story().take(*records).marks()) == {"t", "a", "b"}
    assert Story(Thresholds(2, 0, 0, 0)).take(*records).marks() == {}


# --- against a brute force -----------------------------------------------------------------------------------

MAILS = st.fixed_dictionaries(
    {},
    optional={
        "campaign_id": st.sampled_from(["x", "y", 7, "7", "", True, None]),
        "email_id": st.sampled_from(["m", "n", "", None]),
        "link_url": st.sampled_from(["l1", "l2", "l3", "l4"]),
    },
)
MACHINES = st.none() | st.builds(
    Suspicion, st.booleans(), st.lists(st.sampled_from(["honeypot", "burst", "robot"]), unique=True)
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["email_open", "email_click", "email_click", "email_delivered", "page_view"]),
        st.sampled_from(["c1", "c2"]),
        st.integers(0, 12),
        MAILS,
        MACHINES,
    ),
    max_size=25,
)
DRAWN = st.builds(Thresholds, st.integers(2, 4), st.integers(0, 4), st.integers(0, 3), st.integers(0, 5))


def named(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def is_same_mail(one: Track, other: Track) -> bool:
    for name in ("email_id", "campaign_id"):
        first, second = (named(each.properties.get(name)) for each in (one, other))
        if first is not None and second is not None:
            return first == second
    return False


def is_near(one: Track, other: Track, span_ms: int) -> bool:
    close = span_ms > 0 and abs(one.occurred_at - other.occurred_at) <= span_ms
    return close and one.contact_id == other.contact_id and is_same_mail(one, other)


def known(event: Track) -> set[str]:
    return set(event.machine.reasons) if event.machine and event.machine.suspected else set()


def mail_of(event: Track) -> tuple[str | None, str | None]:
    email, campaign = named(event.properties.get("email_id")), named(event.properties.get("campaign_id"))
    return (email, None) if email else (None, campaign)


def is_in_burst(event: Track, events: Sequence[Track], limits: Thresholds) -> bool:
    """Some span of that length holds it and enough links of its mail."""
    clicks = [each for each in events if each.event == "email_click" and "link_url" in each.properties]
    if limits.burst_ms == 0 or event not in clicks or mail_of(event) == (None, None):
        return False
    clicks = [
        each for each in clicks if each.contact_id == event.contact_id and mail_of(each) == mail_of(event)
    ]  # fmt: skip
    for begin in range(event.occurred_at - limits.burst_ms, event.occurred_at + 1):
        span = range(begin, begin + limits.burst_ms + 1)
        if len({each.properties["link_url"] for each in clicks if each.occurred_at in span}) >= limits.burst_links:
            return True
    return False


def expected(events: Sequence[Track], limits: Thresholds) -> dict[str, set[str]]:
    """By the words of ops/machine-activity.md: every event against every other."""
    traps = [each for each in events if each.event == "email_click" and "honeypot" in known(each)]
    deliveries = [each for each in events if each.event == "email_delivered"]
    marks: dict[str, set[str]] = {}
    for event in events:
        new: set[str] = set()
        if is_in_burst(event, events, limits):
            new.add("burst")
        if any(is_near(event, each, limits.after_delivery_ms) for each in deliveries):
            new.add("after_delivery")
        if "honeypot" not in known(event) and any(is_near(event, each, limits.near_honeypot_ms) for each in traps):
            new.add("near_honeypot")
        new -= known(event)
        if new and event.event in ("email_open", "email_click"):
            marks[event.event_id] = new
    return marks


@given(EVENTS, DRAWN, st.booleans())
def test_every_event_is_suspected_that_the_brute_force_suspects_and_no_other(
    drawn: list[tuple[str, str, int, dict[str, Any], Suspicion | None]], limits: Thresholds, at_each: bool
) -> None:
    events = [
        Track(f"e{number}", contact, event, 1_800_000_000_000 + at, properties, machine=machine)
        for number, (event, contact, at, properties, machine) in enumerate(drawn)
    ]
    story, found = Story(limits), dict[str, set[str]]()
    for event in events:
        story.memory.take(0, event, 1_800_000_001_000)
        if at_each:
            for finding in story.due():
                found.setdefault(finding.correction.corrects, set()).update(finding.found)
    for finding in story.due():
        found.setdefault(finding.correction.corrects, set()).update(finding.found)
    assert found == expected(events, limits)


def test_thresholds_by_default_are_those_of_the_page() -> None:
    from streams.detecting.settings import DetectorSettings  # noqa: PLC0415 - it reads the environment

    assert DetectorSettings().thresholds == THRESHOLDS
