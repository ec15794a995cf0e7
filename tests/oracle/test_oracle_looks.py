"""The brute force looks at every instant that matters: steps at any others change nothing."""

from __future__ import annotations

from hypothesis import given, note
from hypothesis import strategies as st

from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import Case, cases
from tests.oracle.driving import row_of_change
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.timeline import Oracle, Step
from tests.oracle.writer import Taste


class _Restless(Oracle):
    """Also steps at instants that nobody asked for."""

    ways: list[float]

    def move_on(self, clock: int, offset: int) -> None:
        before, width = self.clock, clock - self.clock
        for way in sorted(self.ways) if before and width > 0 else []:
            super().move_on(before + int(width * way), offset)
            for contact in self.contacts.values():
                if contact.now < self.clock:
                    assert not self._step(contact, Step(self.clock, {"kind": "timer"}))
        super().move_on(clock, offset)


@fuzzed(0.05)
@given(cases(Taste(tuple(LEAF_WRITERS), rich=True)), st.lists(st.floats(0, 1), max_size=12))
def test_nothing_changes_between_the_instants_that_are_looked_at(case: Case, ways: list[float]) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    plain, restless = Oracle(case.file), _Restless(case.file)
    restless.ways = ways
    for oracle in (plain, restless):
        for offset, body in enumerate(case.bodies, start=1):
            oracle.take(body, offset)
        oracle.move_on(case.until or 0, len(case.bodies) + 1)
    rows = [
        [{**row_of_change(change), "detected_at": None} for change in oracle.changes] for oracle in (plain, restless)
    ]
    assert sorted(rows[0], key=str) == sorted(rows[1], key=str)
