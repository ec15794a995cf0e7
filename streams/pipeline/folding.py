"""A batch, folded in memory as far as that goes without the store: here most of a worker's time is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from streams.pipeline.admission import Admitted
from streams.pipeline.draft import Draft
from streams.pipeline.workspace import Workspace
from streams.ports import Cursor
from streams.segmentation import Outcome


class FoldMeters(Protocol):
    """Who is told what a fold has done."""

    def released(self, late_ms: int, steps: int) -> None:
        """Timers fired, the earliest of them this long after its instant."""

    def folded(
        self, admitted: Sequence[Admitted], outcomes: Sequence[Outcome], entries_merged: int, given_up: int
    ) -> None:
        """A batch's records were folded; for them, so many entries of windows were merged into others, and so many
        events given up that could have been corrected still."""


class Folding:
    """Folds batches of one partition into a workspace and a draft."""

    def __init__(self, timers_max: int, transitions_max: int, meters: FoldMeters) -> None:
        """A commit holds at most so many timer steps; with so many transitions it takes no more records."""
        self._timers_max = timers_max
        self._transitions_max = transitions_max
        self._meters = meters

    def fold(self, admitted: Sequence[Admitted], workspace: Workspace, draft: Draft) -> Iterator[Cursor]:
        """Fold the records. Wherever it stops, a commit up to that cursor is wanted, and the timers due after it."""
        fold = workspace.fold
        outcomes: list[Outcome] = []
        core, clock_ms = workspace.core, fold.clock_ms
        merged_before, given_up_before = core.entries_merged, core.corrections.given_up
        for entry in admitted:
            offset, record = entry.offset, entry.record
            clock_ms = max(clock_ms, entry.timestamp_ms)
            while self._due(clock_ms, workspace):
                if self._release(clock_ms, offset, workspace, draft):
                    break
                yield draft.within_record(offset)
            if record is None:
                fold.fire(clock_ms, offset)
                continue
            outcomes.append(fold.apply(record, offset, clock_ms, entry.key))
            if fold.sent:
                draft.sendings += fold.sent
                fold.sent.clear()
            if fold.emitted:
                draft.add(fold.emitted, offset)
                fold.emitted.clear()
                if len(draft.transitions) >= self._transitions_max:
                    yield Cursor(offset + 1, 0)
        merged, given_up = core.entries_merged - merged_before, core.corrections.given_up - given_up_before
        self._meters.folded(admitted, outcomes, merged, given_up)

    @staticmethod
    def _due(clock_ms: int, workspace: Workspace) -> bool:
        timer = workspace.fold.next_timer()
        return workspace.horizon_ms <= clock_ms or (timer is not None and timer[0] <= clock_ms)

    def _release(self, clock_ms: int, offset: int, workspace: Workspace, draft: Draft) -> bool:
        """Fire timers due at `clock_ms` on behalf of the record at `offset`; whether those are all of them."""
        fold = workspace.fold
        timer = fold.next_timer()
        steps = fold.fire(clock_ms, offset, workspace.until, self._timers_max - draft.timer_steps)
        if steps and timer is not None:
            draft.count_timer_steps(steps, offset)
            draft.add(fold.emitted, offset)
            fold.emitted.clear()
            self._meters.released(clock_ms - timer[0], steps)
        return draft.timer_steps < self._timers_max and workspace.horizon_ms > clock_ms
