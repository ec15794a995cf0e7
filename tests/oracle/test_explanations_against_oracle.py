"""What is explained of every condition is what the brute force finds by looking at the instants around."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, note

from schemas.transitions import cause_body
from streams.explaining.line_replay import replay_lines
from streams.explaining.replay import Replay
from streams.segmentation import compile_definitions
from streams.segmentation.conditions.aggregate_spec import AggregateEvidence
from streams.segmentation.conditions.ratio import RatioEvidence
from streams.segmentation.evidence import CountEvidence, Evidence
from streams.segmentation.explanation import ExplainedNode, ExplainedSegment, Explainer
from streams.segmentation.score_evidence import ScoreEvidence, ScoreParts
from streams.segmentation.turns import Turn
from tests.oracle import scores
from tests.oracle.changing import brute
from tests.oracle.conditions import counted, every_event, numbers, total, values_of, with_numbers
from tests.oracle.drawn_changes import changing_cases
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import Case, cases
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.timeline import Contact
from tests.oracle.view import Condition, View, truth
from tests.oracle.watching import Path, Turned, WatchingOracle, nodes_of, watched
from tests.oracle.writer import Taste

COUNTS = Taste(("performed", "not_performed", "aggregate"), rich=True)
EVERYTHING = Taste(tuple(LEAF_WRITERS), max_segments=4, rich=True)


def explained(case: Case, contact_id: str, until: int) -> Replay:
    lines = [json.dumps(body).encode() for body in case.bodies]
    return replay_lines(compile_definitions(case.file), lines, contact_id, until)


def places(node: ExplainedNode, path: Path) -> dict[Path, ExplainedNode]:
    found = {path: node}
    for place, part in enumerate(node.parts):
        found |= places(part, (*path, place))
    return found


def places_of(segment: ExplainedSegment) -> dict[Path, ExplainedNode]:
    found = places(segment.when, (segment.segment, 0))
    return found if segment.exit_when is None else found | places(segment.exit_when, (segment.segment, 1))


def assert_explained(case: Case) -> None:
    oracle = watched(case.file, case.bodies, case.until)
    for contact_id, contact in oracle.contacts.items():
        replay = explained(case, contact_id, oracle.clock)
        stored = from_state(replay)
        for segment in replay.explainer().segments():
            assert_segment(oracle, contact, segment)
            assert_same_from_state(segment, stored.segment(segment.segment))


def assert_segment(oracle: WatchingOracle, contact: Contact, segment: ExplainedSegment) -> None:
    name, turned, truths = segment.segment, oracle.turned(contact), oracle.truths(contact)
    ahead = oracle.ahead(contact, name)
    conditions = nodes_of(oracle.file, name)
    found = places_of(segment)
    assert set(found) == set(conditions)
    assert (segment.member, segment.sequence) == (contact.members[name], contact.sequences.get(name, 0))
    assert told(segment.since) == turned[name,]
    assert segment.until_ms == ahead[name,]
    view = replace(oracle.view(contact), now=oracle.clock)
    for path, node in found.items():
        assert node.holds == truths[path], path
        assert told(node.since) == turned[path], path
        assert node.until_ms == ahead[path], path
        if node.evidence is not None:
            assert_evidence(node.evidence, conditions[path], view)
        if node.segment is not None:
            assert_segment(oracle, contact, node.segment)
    assert (segment.why_not is None) == segment.member


def told(turn: Turn | None) -> Turned:
    assert turn is not None
    assert turn.cause is not None
    return Turned(turn.at_ms, cause_body(turn.cause))


def from_state(replay: Replay) -> Explainer:
    """What the state alone says, stored and loaded."""
    assert replay.contact is not None
    raw = replay.core.encode(replay.contact)
    assert raw is not None
    return Explainer(replay.core, replay.core.decode(replay.contact.key, raw), replay.clock_ms)


def assert_same_from_state(segment: ExplainedSegment, stored: ExplainedSegment) -> None:
    """Without the log, causes and events are missing, and nothing else is otherwise."""
    assert (stored.member, stored.until_ms, stored.since.at_ms) == (
        segment.member,
        segment.until_ms,
        segment.since.at_ms,
    )
    found = places_of(stored)
    for path, node in places_of(segment).items():
        assert (found[path].holds, found[path].until_ms) == (node.holds, node.until_ms)
        if isinstance(node.evidence, CountEvidence):
            evidence = found[path].evidence
            assert isinstance(evidence, CountEvidence)
            assert evidence.count == node.evidence.count or (evidence.or_more and evidence.count < node.evidence.count)


def assert_evidence(evidence: Evidence, condition: Condition, view: View) -> None:
    ((kind, of),) = condition.items()
    if isinstance(evidence, CountEvidence):
        happened = counted(of, view)
        assert (evidence.count, evidence.or_more) == (len(happened), False)
        newest = sorted((each.time for each in happened), reverse=True)[:10]
        assert [each.at_ms for each in evidence.newest] == newest
        ids = {each.body["event_id"] for each in happened}
        assert {each.event_id for each in evidence.newest} <= ids
    elif isinstance(evidence, AggregateEvidence) and of["function"] != "distinct":
        assert_aggregate(evidence, of, view)
    elif isinstance(evidence, RatioEvidence):
        counts = [len(counted(of[name], view, every_event)) for name in ("of", "to")]
        assert [evidence.of.count, evidence.to.count] == counts
    elif isinstance(evidence, ScoreEvidence):
        assert evidence.reading == float(scores.reading(of["name"], view))
        assert of_parts(evidence.parts) == pytest.approx(evidence.unbounded, abs=0.002)
        assert kind != "tier" or (evidence.tier == of["is"]) == (
            scores.tier_at(view.file["scores"][of["name"]], scores.reading(of["name"], view)) == of["is"]
        )


def of_parts(parts: ScoreParts) -> float:
    expiring = sum(part.points for part in parts.expiring)
    whiles = sum(part.points for part in parts.whiles if part.holds)
    return parts.undecayed + (parts.decaying or 0) + expiring + whiles + sum(part.points for part in parts.mix)


def assert_aggregate(evidence: AggregateEvidence, of: dict[str, Any], view: View) -> None:
    values = values_of(of, view, with_numbers(of, view))
    known = numbers(values)
    if of["function"] in {"sum", "avg"}:
        whole = total(values)
        expected = whole if of["function"] == "sum" else whole / len(known) if known else None
    else:
        expected = None if not known else min(known) if of["function"] == "min" else max(known)
    assert evidence.value == (None if expected is None else pytest.approx(float(expected), abs=1e-8))


@fuzzed(0.06)
@given(cases(COUNTS, max_records=10))
def test_counts_and_aggregates_are_explained_as_they_are(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_explained(case)


@fuzzed(0.09)
@given(cases(EVERYTHING, max_records=10))
def test_every_condition_has_its_truth_and_holds_since_and_until_when_it_does(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_explained(case)


def assert_explained_after_changes(case: Case) -> None:
    """Conditions come out as the definitions say that hold in the end, memberships as was told of them."""
    oracle = brute(case)
    lines = [json.dumps(body).encode() for body in case.bodies]
    last = {(change.contact_id, change.segment): change for change in oracle.changes}
    for contact_id, contact in oracle.contacts.items():
        replay = replay_lines(
            compile_definitions(case.file), lines, contact_id, oracle.clock, history=lambda count: lines[:count]
        )
        view = View(oracle.file, contact.history, oracle.clock, contact.members)
        explainer = replay.explainer()
        assert {segment.segment for segment in explainer.segments()} == set(contact.members)
        for segment in explainer.segments():
            name = segment.segment
            assert (segment.member, segment.sequence) == (contact.members[name], contact.sequences.get(name, 0))
            if segment.sequence:
                change, since = last[contact_id, name], segment.since
                assert told(since) == Turned(contact.since[name], change.cause)
                assert (since.told_ms or since.at_ms) == change.effective_at
            conditions = nodes_of(oracle.file, name)
            for path, node in places_of(segment).items():
                assert node.holds == truth(conditions[path], view), path
                if node.evidence is not None:
                    assert_evidence(node.evidence, conditions[path], view)


@fuzzed(0.06)
@given(changing_cases(EVERYTHING, max_records=10))
def test_after_changes_of_definitions_all_is_explained_as_it_is(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    assert_explained_after_changes(case)
