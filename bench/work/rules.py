"""The segments of `definitions.yaml` by hand, in plain Python, for exactly these ten: what a user would write.

`apply` takes one event of one contact. Memberships that ended or began by time alone since the contact's event before
come out first, with their exact instants: so no contender needs timers. It needs events in order of time, and knows
no duplicates, no late events, no other definitions and no explanations, all of which Segue has and pays for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import msgspec

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SEGMENTS = (
    "hot", "warm", "visitors", "regulars", "openers", "clickers", "buyers", "abandoners", "lapsing", "engaged_buyers",
)  # fmt: skip
_HOT, _WARM, _VISITORS, _REGULARS, _OPENERS, _CLICKERS, _BUYERS, _ABANDONERS, _LAPSING, _ENGAGED = (
    1 << place for place in range(len(SEGMENTS))
)
_POINTS = {"email_open": 5.0, "email_click": 10.0, "cart_add": 15.0, "purchase": 20.0}
_HALF_LIFE_MS = 7 * DAY_MS
# A score is read with three decimals, rounded half up: it reads 60 from 59.9995 on.
_SIXTY, _FIFTY, _THIRTY, _TWENTY = 59.9995, 49.9995, 29.9995, 19.9995
_BOUNDS = (_SIXTY, _FIFTY, _THIRTY, _TWENTY)
_REGULAR_VIEWS, _OPENS, _CLICKS = 5, 2, 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

State: TypeAlias = list[Any]
"""A contact: nothing but numbers and lists of them, so that it can be stored as JSON and as MessagePack."""
_SEEN_MS, _MASK, _SCORE, _SCORE_MS, _VIEWS, _OPENED, _CLICKED, _CART_MS, _PURCHASE_MS, _SEQUENCES = range(10)
_NEVER_MS = -(1 << 50)


class Event(msgspec.Struct):
    """What the rules read of a record."""

    contact_id: str
    event: str
    occurred_at: datetime


class Transition(msgspec.Struct):
    """What goes to the output topic."""

    contact_id: str
    segment: str
    type: str
    sequence: int
    effective_at: int
    """Milliseconds since the epoch."""


class Move(NamedTuple):
    """One change of one membership."""

    segment: int
    sequence: int
    effective_at: int


decode: Callable[[bytes], Event] = msgspec.json.Decoder(Event).decode
"""The event in the value of a record."""
encode: Callable[[Transition], bytes] = msgspec.json.Encoder().encode
"""The bytes of a transition."""


def milliseconds(instant: datetime) -> int:
    """Since the epoch."""
    return (instant - _EPOCH) // _MILLISECOND


def fresh() -> State:
    """A contact of whom nothing is known."""
    return [_NEVER_MS, 0, 0.0, 0, [], [], [], _NEVER_MS, _NEVER_MS, [0] * len(SEGMENTS)]


def apply(state: State, event: str, at_ms: int) -> list[Move]:
    """Apply an event of a contact, in place; what changed, in order."""
    moves: list[Move] = []
    for flip_ms in _flips(state, at_ms):
        _step(state, flip_ms, moves)
    _record(state, event, at_ms)
    _step(state, at_ms, moves)
    state[_SEEN_MS] = at_ms
    return moves


def transitions(contact_id: str, moves: list[Move]) -> list[Transition]:
    """The moves as they are published."""
    return [
        Transition(contact_id, SEGMENTS[segment], "segment.entered" if sequence & 1 else "segment.exited", sequence, at)
        for segment, sequence, at in moves
    ]


def _record(state: State, event: str, at_ms: int) -> None:
    points = _POINTS.get(event)
    if points is not None:
        state[_SCORE] = _score(state, at_ms) + points
        state[_SCORE_MS] = at_ms
    if event == "page_view":
        _keep(state[_VIEWS], at_ms, _REGULAR_VIEWS)
    elif event == "email_open":
        _keep(state[_OPENED], at_ms, _OPENS)
    elif event == "email_click":
        _keep(state[_CLICKED], at_ms, _CLICKS)
    elif event == "cart_add":
        state[_CART_MS] = at_ms
    elif event == "purchase":
        state[_PURCHASE_MS] = at_ms


def _keep(times: list[int], at_ms: int, newest: int) -> None:
    times.append(at_ms)
    if len(times) > newest:
        del times[0]


def _score(state: State, at_ms: int) -> float:
    if not state[_SCORE]:
        return 0.0
    value: float = state[_SCORE] * 2.0 ** ((state[_SCORE_MS] - at_ms) / _HALF_LIFE_MS)
    return value


def _flips(state: State, until_ms: int) -> list[int]:
    """The instants after the contact's last event, up to `until_ms`, at which a condition turns by time alone."""
    seen_ms = state[_SEEN_MS]
    found = {instant_ms for instant_ms in _ends(state) if seen_ms < instant_ms <= until_ms}
    score = state[_SCORE]
    if score > _TWENTY:
        now = _score(state, until_ms)
        for bound in _BOUNDS:
            if now < bound <= score:
                instant_ms = state[_SCORE_MS] + math.floor(_HALF_LIFE_MS * math.log2(score / bound)) + 1
                if seen_ms < instant_ms <= until_ms:
                    found.add(instant_ms)
    return sorted(found) if len(found) > 1 else list(found)


def _ends(state: State) -> Iterator[int]:
    views, opened, clicked = state[_VIEWS], state[_OPENED], state[_CLICKED]
    if views:
        yield views[-1] + 7 * DAY_MS
        yield views[0] + 3 * DAY_MS
    if opened:
        yield opened[0] + 10 * DAY_MS
    if clicked:
        yield clicked[0] + 14 * DAY_MS
        yield clicked[-1] + 5 * DAY_MS
    if state[_CART_MS] > 0:
        yield state[_CART_MS] + 7 * DAY_MS
        yield state[_CART_MS] + HOUR_MS
    if state[_PURCHASE_MS] > 0:
        yield state[_PURCHASE_MS] + 14 * DAY_MS
        yield state[_PURCHASE_MS] + 7 * DAY_MS


def _step(state: State, at_ms: int, moves: list[Move]) -> None:
    before = state[_MASK]
    after = _members(state, at_ms, before)
    changed = before ^ after
    if changed:
        sequences = state[_SEQUENCES]
        for place in range(len(SEGMENTS)):
            if changed >> place & 1:
                sequences[place] += 1
                moves.append(Move(place, sequences[place], at_ms))
        state[_MASK] = after


def _members(state: State, at_ms: int, before: int) -> int:  # noqa: C901 - ten segments in one pass are fastest
    """The segments that the contact is in at an instant, which it was in the ones of `before` until then."""
    views, opened, clicked = state[_VIEWS], state[_OPENED], state[_CLICKED]
    score = _score(state, at_ms)
    mask = 0
    if score >= _SIXTY or (before & _HOT and score >= _FIFTY):
        mask |= _HOT
    if _THIRTY <= score < _SIXTY:
        mask |= _WARM
    if views:
        if views[-1] > at_ms - 7 * DAY_MS:
            mask |= _VISITORS
        if len(views) == _REGULAR_VIEWS and views[0] > at_ms - 3 * DAY_MS:
            mask |= _REGULARS
    if len(opened) == _OPENS and opened[0] > at_ms - 10 * DAY_MS:
        mask |= _OPENERS
    if clicked:
        if len(clicked) == _CLICKS and clicked[0] > at_ms - 14 * DAY_MS:
            mask |= _CLICKERS
        if clicked[-1] <= at_ms - 5 * DAY_MS:
            mask |= _LAPSING
    if state[_PURCHASE_MS] > at_ms - 14 * DAY_MS:
        mask |= _BUYERS
    if at_ms - 7 * DAY_MS < state[_CART_MS] <= at_ms - HOUR_MS and state[_PURCHASE_MS] <= at_ms - 7 * DAY_MS:
        mask |= _ABANDONERS
    if score >= _TWENTY and (before & _ENGAGED or (score >= _THIRTY and mask & _BUYERS)):
        mask |= _ENGAGED
    return mask
