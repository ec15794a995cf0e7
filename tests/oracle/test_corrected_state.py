"""What is kept of a corrected contact is, to the byte, what it would be had its events been so from the start."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, note
from hypothesis import strategies as st

from streams.segmentation import Contact, Core, RehearsingCore, corrections
from streams.segmentation.stored import decode_stored
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_corrections import corrected_cases
from tests.oracle.drawn_records import Case
from tests.oracle.driving import BetweenRecords, Body, Driven, reloaded, unchanged
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.history import clock_of
from tests.oracle.writer import Taste

EVERYTHING = Taste(tuple(LEAF_WRITERS), max_segments=4, rich=True)
SCORES = Taste(("score", "performed", "aggregate", "ratio"), rich=True)
BETWEEN = st.sampled_from((unchanged, reloaded))


def _inert(correction: Body) -> Body:
    """A record in the place of a correction that nothing looks at."""
    kept = {name: correction[name] for name in ("event_id", "contact_id", "occurred_at", "received_at")}
    decision = {"purpose": "nobody asks", "granted": True, "document": "d", "method": "m"}
    return {"type": "consent", **kept, **decision}


def _corrected(bodies: list[Body], results: list[str]) -> list[Body]:
    """The records as they would have come, had all been known from the start."""
    came = list(bodies)
    for place, (body, result) in enumerate(zip(bodies, results, strict=True)):
        if body["type"] != "correction":
            continue
        changes = result.startswith("applied") or result == "unknown"
        known = any(each.get("contact_id") == body["contact_id"] for each in came[:place])
        came[place] = _inert(body) if changes and known else {"type": "tick", "received_at": body["received_at"]}
        if result.startswith("applied"):
            for earlier in range(place):
                if came[earlier].get("event_id") == body["corrects"]:
                    came[earlier] = came[earlier] | {"machine": body["machine"]}
    return came


def _kept(core: Core, contact: Contact, now_ms: int) -> object:
    """What conditions and scores rest on, and what comes out of it at once."""
    at_once = [unit for unit in core.program.units if not unit.reads]
    flips = {unit.index: contact.flips.get(unit.index) for unit in at_once}
    bits = contact.bits & sum(unit.mask for unit in at_once)
    contact.as_of_ms = now_ms  # what no later instant asks for is not stored; the last steps may lie apart
    raw = core.encode(contact)
    assert raw is not None
    return decode_stored(raw).slots, flips, bits


class _Untold(Driven):
    """Nobody is told of moves, which takes most of the time."""

    def __init__(self, case: Case, between: BetweenRecords = unchanged) -> None:
        super().__init__(case.file, between)
        self.core = self.fold.core = RehearsingCore(self.core.definitions)

    def take_all(self, bodies: list[Body], until: int | None) -> list[str]:
        """What became of each record."""
        results = [self.take(body, offset) for offset, body in enumerate(bodies, start=1)]
        if until is not None:
            self.move_on(until, len(bodies) + 1)
        return results


@fuzzed(0.15)
@given(corrected_cases(EVERYTHING), st.sampled_from((200, 1, 2, 3, 5)), BETWEEN)
def test_a_corrected_contact_keeps_what_its_events_would_have_made_of_it(
    case: Case, most: int, between: BetweenRecords
) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    _assert_kept(case, most, between)


@fuzzed(0.15)
@given(corrected_cases(SCORES, max_records=20), st.sampled_from((200, 1, 2, 3, 5)), BETWEEN)
def test_corrected_scores_and_windows_keep_it_too(case: Case, most: int, between: BetweenRecords) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    _assert_kept(case, most, between)


def _assert_kept(case: Case, most: int, between: BetweenRecords) -> None:
    bodies = [body for body in case.bodies if body["type"] != "correction" or _is_known(case.bodies, body)]
    with patch.object(corrections, "MAX_RECENT", most):
        driven, other = _Untold(case, between), _Untold(case)
        results = driven.take_all(bodies, case.until)
        other.take_all(_corrected(bodies, results), case.until)
    keys = [key for key, contact in driven.fold.contacts.items() if contact.exists]
    assert keys == [key for key, contact in other.fold.contacts.items() if contact.exists]
    for key in keys:
        kept = _kept(driven.core, driven.fold.contacts[key], driven.clock)
        assert kept == _kept(other.core, other.fold.contacts[key], driven.clock)


def _is_known(bodies: list[Body], correction: Body) -> bool:
    """Whether its event came before it: what is awaited is told elsewhere."""
    place = bodies.index(correction)
    return any(body.get("event_id") == correction["corrects"] for body in bodies[:place]) and clock_of(correction) > 0
