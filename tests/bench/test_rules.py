"""The evaluator by hand, which the contenders of the benchmark share, against Segue's core."""

from __future__ import annotations

import random

import msgspec
import pytest
import yaml

from bench.work.events import START_MS, Work
from bench.work.expected import DEFINITIONS, Change, Expected, Published, expected_of, judge, number_of
from bench.work.rules import SEGMENTS, Move, apply, decode, encode, fresh, milliseconds, transitions
from schemas.records import Track
from streams.segmentation import Core, Fold, compile_definitions

CORE = Core(compile_definitions(yaml.safe_load(DEFINITIONS.read_text())))
EVENTS = ("page_view", "product_view", "email_open", "email_click", "cart_add", "purchase")
GAPS_MS = (0, 1, 1_000, 3_600_000, 86_400_000, 3 * 86_400_000, 5 * 86_400_000, 7 * 86_400_000, 14 * 86_400_000)


def by_core(history: list[tuple[int, str]]) -> list[Move]:
    """What the core says of one contact, up to its last event."""
    fold = Fold(CORE)
    for offset, (at_ms, event) in enumerate(history):
        fold.fire(at_ms, offset)
        fold.apply(Track(event_id=f"e{offset}", contact_id="c", event=event, occurred_at=at_ms), offset, at_ms)
    return [Move(SEGMENTS.index(each.segment), each.sequence, each.effective_at) for each in fold.emitted]


@pytest.mark.parametrize("seed", range(150))
def test_the_rules_by_hand_move_a_contact_as_the_core_does(seed: int) -> None:
    dice = random.Random(seed)
    at_ms, history = START_MS, []
    liked = dice.choices(EVENTS, k=2)
    for _ in range(40):
        gap_ms = dice.choice(GAPS_MS) if dice.random() < 0.3 else dice.randrange(4 * 3_600_000)
        at_ms += gap_ms
        history.append((at_ms, dice.choice(liked if dice.random() < 0.5 else EVENTS)))
    state, moves = fresh(), []
    for at_ms, event in history:
        moves += apply(state, event, at_ms)
    assert moves == by_core(history)


def test_a_state_can_be_stored_as_numbers_and_lists() -> None:
    state, again = fresh(), fresh()
    for number, event in enumerate(EVENTS * 5):
        at_ms = START_MS + number * 7_200_000
        found = apply(again, event, at_ms)
        assert apply(state, event, at_ms) == found
        again = msgspec.json.decode(msgspec.json.encode(again))


def test_what_the_rules_publish_is_judged_right_for_a_whole_work() -> None:
    work = Work(events=3_000, contacts=60, taken=3_000)
    published = published_of(work)
    assert judge(published, expected_of(work), 0).right


def published_of(work: Work) -> list[Published]:
    states = {number: fresh() for number in range(work.contacts)}
    published = []
    for contact, at_ms, value in work.drawn():
        event = decode(value)
        assert milliseconds(event.occurred_at) == at_ms
        assert number_of(event.contact_id) == contact
        for move in apply(states[contact], event.event, at_ms):
            published.append(Published(Change(contact, *move), bool(move.sequence & 1), at_ms))
    return published


def test_a_prefix_of_a_work_has_the_same_events() -> None:
    whole, part = Work(events=25_000, contacts=500, taken=25_000), Work(events=25_000, contacts=500, taken=25_000)
    drawn = list(whole.drawn())
    assert list(part.prefix(13_000).drawn()) == drawn[:13_000]
    assert [event.at_ms for event in drawn] == sorted(event.at_ms for event in drawn)


def one_change() -> Expected:
    return Expected(changes=[(5, 2, 1, START_MS)], published=1, last_ms={5: START_MS + 10})


def found(sequence: int, at_ms: int, *, entered: bool = True) -> Published:
    return Published(Change(5, 2, sequence, at_ms), entered, START_MS)


def test_an_output_is_right_with_all_changes_once_or_again() -> None:
    assert judge([found(1, START_MS), found(1, START_MS)], one_change(), 0).right


def test_what_follows_a_contact_s_last_event_is_not_asked_for() -> None:
    assert judge([found(1, START_MS), found(2, START_MS + 11, entered=False)], one_change(), 0).right


@pytest.mark.parametrize(
    ("published", "words"),
    [
        ([], "1 missing"),
        ([found(1, START_MS), found(2, START_MS + 9, entered=False)], "1 unexpected"),
        ([found(1, START_MS + 2)], "1 off"),
        ([found(1, START_MS, entered=False)], "1 off"),
    ],
)
def test_a_wrong_output_is_told_with_what_is_wrong(published: list[Published], words: str) -> None:
    judgement = judge(published, one_change(), 1)
    assert not judgement.right
    assert words in str(judgement)


def test_a_transition_is_published_with_five_fields() -> None:
    [transition] = transitions("contact-000005", [Move(2, 1, START_MS)])
    assert msgspec.json.decode(encode(transition)) == {
        "contact_id": "contact-000005",
        "segment": "visitors",
        "type": "segment.entered",
        "sequence": 1,
        "effective_at": START_MS,
    }
