"""What is called impossible never happens, and plain contradictions are called impossible."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, note

from streams.segmentation import DefinitionsError, compile_definitions
from streams.segmentation.advice import NEVER_ENTERED
from streams.segmentation.reachability import World, entering
from streams.segmentation.reachable_states import Readings
from tests.oracle.drawn_records import Case, cases
from tests.oracle.driving import run_oracle
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.writer import Taste
from tests.segmentation.timeline import definitions, segment

RULES: list[dict[str, Any]] = [{"event": "x", "points": 5}]
SCORES: dict[str, Any] = {
    "e": {"points": [*RULES, {"event": "y", "points": -1}], "tiers": {"cold": None, "warm": 30, "hot": 70}},
    "capped": {"points": RULES, "cap": 50, "floor": 10},
    "rising": {"points": RULES, "half_life": "7d"},
    "multiplied": {"points": [{"event": "x", "points": 5, "per": "amount"}]},
    "falling": {"points": [{"event": "x", "points": -5}, {"while": {"known_for": "1d"}, "points": -1}]},
    "mix": {
        "mix": [
            {"weight": 50, "recency": {"event": "x", "over": "1d"}},
            {"weight": -5, "frequency": {"event": "y", "within": "1d", "full": 2}},
        ]
    },
}


def count(**more: Any) -> dict[str, Any]:
    return {"performed": {"event": "x", **more}}


def trait(**operators: Any) -> dict[str, Any]:
    return {"trait": {"name": "plan", **operators}}


def score(name: str, **bounds: Any) -> dict[str, Any]:
    return {"score": {"name": name, **bounds}}


def both(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"all": list(conditions)}


NONE: dict[str, Any] = {"not_performed": {"event": "x"}}

IMPOSSIBLE = [
    both(count(), NONE),
    both(count(at_least=3), count(at_most=2)),
    both(count(exactly=2), {"not": count(between=[1, 3])}),
    both(count(within="1d"), {"not_performed": {"event": "x", "within": "7d"}}),
    both(count(within="1d", at_least=5), count(at_most=4)),
    both(count(where=[{"property": "a", "eq": 1}]), {"not": count(where=[{"property": "a", "eq": 1}])}),
    both(score("e", gte=50), score("e", lt=50)),
    both(score("e", gt=5), {"not": score("e", gte=5)}),
    both({"tier": {"name": "e", "is": "warm"}}, {"tier": {"name": "e", "is": "hot"}}),
    both({"tier": {"name": "e", "is": "warm"}}, score("e", lt=30)),
    {"not": {"any": [score("e", gte=0), score("e", lt=0)]}},
    score("rising", lt=0),
    score("falling", gt=0),
    score("mix", gt=50),
    score("mix", lt=-5),
    {"not": score("capped", lte=50)},
    both(trait(eq="pro"), trait(ne="pro")),
    both(trait(eq="pro"), trait(exists=False)),
    both(trait(eq="pro"), {"not": {"trait": {"name": "plan", "in": ["free", "pro"]}}}),
    both(trait(eq=10), {"not": trait(gte=5)}),
    both(trait(gt=5), {"not": trait(gt=1)}),
    both(trait(gt="a", lt="b"), {"not": trait(gte="a")}),
    trait(older_than="7d", newer_than="7d"),
    trait(older_than="1d", within_next="1d"),
    both({"consent": {"purpose": "a", "is": "granted"}}, {"consent": {"purpose": "a", "is": "unknown"}}),
    both({"known_for": "7d"}, {"not": {"known_for": "1d"}}),
    {"ratio": {"of": {"event": "x"}, "to": {"event": "y"}, "lt": 0}},
    {"aggregate": {"event": "x", "property": "a", "function": "distinct", "gt": 1, "lt": 2}},
    both({"listed": "vip"}, {"not": {"listed": "vip"}}),
    both({"in_segment": "other"}, {"not": {"in_segment": "other"}}),
    {"in_segment": "never"},
]
POSSIBLE = [
    both(count(), {"not_performed": {"event": "y"}}),
    both(count(at_least=3), count(at_most=3)),
    both(count(), {"not_performed": {"event": "x", "within": "7d"}}),
    both(count(include_machine=True), NONE),
    both(count(), {"not": count(where=[{"property": "a", "eq": 1}])}),
    both(count(), {"not_performed": {"event": "x", "since": {"event": "y"}}}),
    both(trait(eq="pro"), trait(eq="free")),
    both(trait(gt=5), trait(lt=5)),
    both(trait(gt="a"), trait(gt=1)),
    both(trait(exists=True), {"not": trait(eq="pro")}, {"not": trait(ne="free")}),
    both({"not": trait(gte=10)}, {"not": trait(lt=10)}),
    both(trait(gt=1e300), {"not": trait(eq=1e300)}),
    trait(older_than="7d", newer_than="8d"),
    trait(newer_than="1d", within_next="7d"),
    score("multiplied", lt=0),
    score("e", lt=0),
    score("capped", gte=50),
    {"not": score("capped", gt=10)},
    score("mix", gte=50),
    score("mix", lte=-5),
    both(score("e", gte=50), score("rising", lt=50)),
    {"aggregate": {"event": "x", "property": "a", "function": "sum", "lt": 0}},
    {"aggregate": {"event": "x", "property": "a", "function": "distinct", "gte": 1, "lt": 2}},
    {"ratio": {"of": {"event": "x"}, "to": {"event": "y"}, "lte": 0}},
    both({"consent": {"purpose": "a", "is": "granted"}}, {"consent": {"purpose": "b", "is": "unknown"}}),
    both({"known_for": "1d"}, {"not": {"known_for": "7d"}}),
    both({"in_segment": "other"}, {"not": {"in_segment": "never"}}),
]


def with_neighbours(when: dict[str, Any]) -> dict[str, Any]:
    return definitions(
        {"s": {"when": when}, "other": {"when": {"known_for": "2d"}}, "never": {"when": both(count(), NONE)}},
        scores=SCORES,
        lists={"vip": []},
    )


def paths_of_the_never_entered(data: dict[str, Any]) -> set[str]:
    warnings = compile_definitions(data).warnings
    return {each.path for each in warnings if each.expected.startswith(NEVER_ENTERED)}


@pytest.mark.parametrize("when", IMPOSSIBLE, ids=str)
def test_a_condition_that_can_never_hold_is_warned_of(when: dict[str, Any]) -> None:
    assert paths_of_the_never_entered(with_neighbours(when)) == {"segments.s.when", "segments.never.when"}


@pytest.mark.parametrize("when", POSSIBLE, ids=str)
def test_a_condition_that_may_hold_is_not(when: dict[str, Any]) -> None:
    assert paths_of_the_never_entered(with_neighbours(when)) == {"segments.never.when"}


@pytest.mark.parametrize("exit_when", IMPOSSIBLE, ids=str)
def test_an_exit_that_can_never_hold_is_refused(exit_when: dict[str, Any]) -> None:
    data = with_neighbours({"known_for": "1h"})
    data["segments"]["s"]["exit_when"] = exit_when
    with pytest.raises(DefinitionsError) as refused:
        compile_definitions(data)
    assert [problem.path for problem in refused.value.problems] == ["segments.s.exit_when"]


def test_a_segment_whose_exit_holds_whenever_its_when_does_is_never_entered() -> None:
    assert paths_of_the_never_entered(segment(count(at_least=3), exit_when=count(at_least=2))) == {"segments.s.when"}
    assert paths_of_the_never_entered(segment(count(at_least=3), exit_when=count(at_least=4))) == set()


def test_a_condition_that_always_holds_is_warned_of() -> None:
    (warning,) = compile_definitions(segment({"any": [count(), NONE]})).warnings
    assert (warning.path, "always holds" in warning.expected) == ("segments.s.when", True)


def test_a_part_of_any_that_can_never_hold_is_warned_of_where_it_stands() -> None:
    when = {"all": [{"known_for": "1d"}, {"any": [count(), both(count(at_least=3), NONE)]}]}
    (warning,) = compile_definitions(segment(when)).warnings
    assert (warning.path, "adds nobody" in warning.expected) == ("segments.s.when.all[1].any[1]", True)


def test_a_tier_that_no_reading_lies_in_is_warned_of() -> None:
    score = {"points": RULES, "cap": 50, "tiers": {"negative": None, "cold": 0, "warm": 30, "hot": 70}}
    warnings = compile_definitions(segment({"known_for": "1d"}, scores={"e": score})).warnings
    assert [each.path for each in warnings] == ["scores.e.tiers.negative", "scores.e.tiers.hot"]


def test_very_many_groups_are_given_up_without_a_claim() -> None:
    # Each pair alone allows three states; together they can only be refused after trying them all.
    pairs = [{"any": [{"trait": {"name": f"t{n}", "eq": 1}}, {"trait": {"name": f"t{n}", "ne": 1}}]} for n in range(40)]
    clash = {"not": {"any": [both(*pairs), both(*pairs[1:])]}}
    assert compile_definitions(segment({"any": [clash, count()]})).segments


EVERYTHING = Taste(("performed", "not_performed", "trait", "score", "tier", "known_for", "consent"), rich=True)
COUNTS = Taste(("performed", "not_performed"), max_segments=2)
SCORED = Taste(("score", "tier"), max_segments=2, rich=True)
TRAITS = Taste(("trait", "trait_time"), max_segments=2, rich=True)


def assert_that_nothing_impossible_happened(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    compiled = compile_definitions(case.file)
    world = World(Readings(compiled.scores, compiled.whiles))
    oracle, _ = run_oracle(case.file, case.bodies, case.until)
    entered = {change.segment for change in oracle.changes if change.type == "segment.entered"}
    for each in compiled.segments:
        if not world.can_hold(entering(each.when, each.exit_when)):
            world.empty.add(each.name)
            assert each.name not in entered


@fuzzed(0.05)
@given(cases(EVERYTHING))
def test_a_segment_that_is_called_unreachable_is_never_entered(case: Case) -> None:
    assert_that_nothing_impossible_happened(case)


@fuzzed(0.05)
@given(cases(COUNTS))
def test_counts_that_are_called_impossible_are_never_met(case: Case) -> None:
    assert_that_nothing_impossible_happened(case)


@fuzzed(0.05)
@given(cases(SCORED))
def test_readings_that_are_called_impossible_are_never_met(case: Case) -> None:
    assert_that_nothing_impossible_happened(case)


@fuzzed(0.05)
@given(cases(TRAITS))
def test_traits_that_are_called_impossible_are_never_met(case: Case) -> None:
    assert_that_nothing_impossible_happened(case)
