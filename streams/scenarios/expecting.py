"""What a scenario expects: items of its `expect` as checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.transitions import TransitionType
from streams.scenarios.checks import (
    Check,
    InOnly,
    InSegment,
    InThroughout,
    Moved,
    MovedExactly,
    NeverMoved,
    ReadingWithin,
    TierIs,
)
from streams.scenarios.notation import MoveSpec, ScoreSpec, SegmentSpec, StateSpec, TierSpec
from streams.scenarios.scope import Scope
from streams.scenarios.wording import Wanted, points_text
from streams.segmentation.problems import join
from streams.segmentation.refusals import ABSENT

_OF_A_SEGMENT = {name for name in SegmentSpec.model_fields if name != "contact"}
_MOVES: dict[str, TransitionType] = {"entered_at": "segment.entered", "exited_at": "segment.exited"}
_NEVER: dict[str, TransitionType] = {"never_entered": "segment.entered", "never_exited": "segment.exited"}
_STATES = "in, not_in, only_in, score or tier"


def read_expectation(item: Any, path: str, scope: Scope) -> list[Check]:
    """The checks of one item; what is wrong with it is noted."""
    if isinstance(item, dict) and not _OF_A_SEGMENT.isdisjoint(item):
        segment = scope.findings.read(SegmentSpec, item, path)
        return [] if segment is None else list(_of_segment(segment, path, scope))
    state = scope.findings.read(StateSpec, item, path)
    return [] if state is None else list(_of_state(state, path, scope))


# --- states --------------------------------------------------------------------------------------------


def _of_state(spec: StateSpec, path: str, scope: Scope) -> Iterator[Check]:
    contact = scope.whom(spec.contact, path)
    if all(each is None for each in (spec.in_, spec.not_in, spec.only_in, spec.score, spec.tier)):
        scope.findings.add(path, ABSENT, f"expected what must hold: {_STATES}")
    if spec.at is not None and spec.from_ is None and spec.before is None:
        at_ms = scope.instant(spec.at, join(path, "at"))
        yield from _at_instant(spec, at_ms, contact, path, scope)
    elif spec.at is None and spec.from_ is not None and spec.before is not None:
        yield from _throughout(spec, contact, path, scope)
    else:
        scope.findings.add(path, ABSENT, "expected when: either `at`, or `from` and `before`")


def _at_instant(spec: StateSpec, at_ms: int | None, contact: str, path: str, scope: Scope) -> Iterator[Check]:
    # What is wrong with names is noted also where the instant is wrong.
    now_ms = at_ms or 0
    for member, name, where in _named(spec, path, scope):
        yield InSegment(path=where, contact=contact, at_ms=now_ms, segment=name, member=member)
    if spec.only_in is not None:
        where = join(path, "only_in")
        known = [scope.knows_segment(name, join(where, place)) for place, name in enumerate(spec.only_in)]
        if all(known):
            only = tuple(spec.only_in)
            yield InOnly(path=where, contact=contact, at_ms=now_ms, segments=only, defined=scope.segments)
    if spec.score is not None:
        yield from _of_score(spec.score, now_ms, contact, join(path, "score"), scope)
    if spec.tier is not None:
        yield from _of_tier(spec.tier, now_ms, contact, join(path, "tier"), scope)


def _named(spec: StateSpec, path: str, scope: Scope) -> Iterator[tuple[bool, str, str]]:
    """Segments that the contact must be in, and must not be in, each with its place."""
    for member, key, names in ((True, "in", spec.in_), (False, "not_in", spec.not_in)):
        for number, name in enumerate(names or ()):
            if scope.knows_segment(name, join(path, key, number)):
                yield member, name, join(path, key, number)


def _throughout(spec: StateSpec, contact: str, path: str, scope: Scope) -> Iterator[Check]:
    from_ms = scope.instant(spec.from_, join(path, "from"))
    before_ms = scope.instant(spec.before, join(path, "before"))
    named = list(_named(spec, path, scope))
    for key in ("only_in", "score", "tier"):
        if getattr(spec, key) is not None:
            scope.findings.add(
                join(path, key), ABSENT, f"expected `at` with {key}; `from` and `before` go with in and not_in"
            )
    if from_ms is None or before_ms is None:
        return
    if from_ms >= before_ms:
        scope.findings.add(join(path, "before"), ABSENT, "expected a time after that of `from`")
    for member, name, where in named:
        yield InThroughout(
            path=where,
            contact=contact,
            at_ms=from_ms,
            before_ms=before_ms,
            segment=name,
            member=member,
        )


# --- scores --------------------------------------------------------------------------------------------


def _knows_score(name: str, path: str, scope: Scope) -> bool:
    if name in scope.definitions.scores:
        return True
    scope.unknown(join(path, "name"), name, scope.definitions.scores, "the name of a score")
    return False


def _of_score(spec: ScoreSpec, at_ms: int, contact: str, path: str, scope: Scope) -> Iterator[Check]:
    known = _knows_score(spec.name, path, scope)
    bounds = list(_bounds(spec))
    low = max((low for _, low, _ in bounds if low is not None), default=None)
    high = min((high for _, _, high in bounds if high is not None), default=None)
    if not bounds:
        scope.findings.add(path, ABSENT, "expected what it must read: eq, between, gte, gt, lte or lt")
    elif low is not None and high is not None and low > high:
        scope.findings.add(path, ABSENT, "expected bounds that a number can satisfy together")
    elif known:
        words = " and ".join(words for words, _, _ in bounds)
        yield ReadingWithin(path=path, contact=contact, at_ms=at_ms, score=spec.name, words=words, low=low, high=high)


def _bounds(spec: ScoreSpec) -> Iterator[tuple[str, int | None, int | None]]:
    """What each comparison says, and the lowest and the highest reading that it allows, in thousandths."""
    if spec.eq is not None:
        yield f"exactly {points_text(spec.eq)}", spec.eq, spec.eq
    if spec.between is not None:
        low, high = spec.between
        yield f"between {points_text(low)} and {points_text(high)}", low, high
    if spec.gte is not None:
        yield f"at least {points_text(spec.gte)}", spec.gte, None
    if spec.gt is not None:
        yield f"above {points_text(spec.gt)}", spec.gt + 1, None
    if spec.lte is not None:
        yield f"at most {points_text(spec.lte)}", None, spec.lte
    if spec.lt is not None:
        yield f"below {points_text(spec.lt)}", None, spec.lt - 1


def _of_tier(spec: TierSpec, at_ms: int, contact: str, path: str, scope: Scope) -> Iterator[Check]:
    if not _knows_score(spec.name, path, scope):
        return
    tiers = scope.definitions.scores[spec.name].tiers
    if spec.is_ is not None and spec.is_ not in tiers:
        scope.unknown(join(path, "is"), spec.is_, tiers, f"a tier of {spec.name}")
        return
    words = "in no tier" if spec.is_ is None else f"in tier {spec.is_}"
    yield TierIs(path=path, contact=contact, at_ms=at_ms, score=spec.name, words=words, tier=spec.is_)


# --- transitions ---------------------------------------------------------------------------------------


def _of_segment(spec: SegmentSpec, path: str, scope: Scope) -> Iterator[Check]:
    contact = scope.whom(spec.contact, path)
    known = scope.knows_segment(spec.segment, join(path, "segment"))
    wanted = list(_wanted(spec, path, scope))
    exact = None
    if spec.transitions is not None:
        exact = list(_exactly(spec.transitions, join(path, "transitions"), scope))
    never = [key for key in _NEVER if getattr(spec, key) is not None]
    if spec.cause is not None and (spec.entered_at is None) == (spec.exited_at is None):
        scope.findings.add(join(path, "cause"), spec.cause, "expected a cause beside one of entered_at and exited_at")
    if exact is None and not never and spec.entered_at is None and spec.exited_at is None:
        names = ", ".join((*_MOVES, *_NEVER))
        scope.findings.add(path, ABSENT, f"expected what must hold: {names} or transitions")
    if not known:
        return
    begun = None
    for where, each in wanted:
        yield Moved(path=where, contact=contact, segment=spec.segment, wanted=each, follows=begun)
        begun = each
    for key in never:
        yield NeverMoved(path=join(path, key), contact=contact, segment=spec.segment, type=_NEVER[key])
    if exact is not None:
        yield MovedExactly(path=join(path, "transitions"), contact=contact, segment=spec.segment, wanted=tuple(exact))


def _wanted(spec: MoveSpec, path: str, scope: Scope) -> Iterator[tuple[str, Wanted]]:
    for key, type_ in _MOVES.items():
        at_ms = scope.instant(getattr(spec, key), join(path, key))
        if at_ms is not None:
            yield join(path, key), Wanted(type_, at_ms, spec.cause)


def _exactly(specs: list[MoveSpec], path: str, scope: Scope) -> Iterator[Wanted]:
    """Transitions of a complete list; entries and exits must take turns, and time must not run back."""
    earlier_ms = 0
    for number, spec in enumerate(specs):
        where, key = join(path, number), ("entered_at", "exited_at")[number % 2]
        if getattr(spec, key) is None or (spec.entered_at is not None and spec.exited_at is not None):
            scope.findings.add(where, ABSENT, f"expected {key} here: entries and exits take turns, an entry first")
        for _, wanted in _wanted(spec, where, scope):
            if wanted.at_ms < earlier_ms:
                scope.findings.add(where, ABSENT, "expected a time not before that of the transition above")
            earlier_ms = wanted.at_ms
            yield wanted
