"""What a pipeline tells of itself. Counted in batches: a meter costs as much as a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from schemas.metrics import Meters
from schemas.transitions import Transition
from streams.pipeline.admission import Admitted
from streams.ports import Commit
from streams.segmentation import Outcome


class PipelineMeters:
    """The meters of one partition's pipeline."""

    def __init__(self, meters: Meters, partition: int) -> None:
        self._meters = meters
        self._clock = meters.gauge("segue_clock_timestamp_seconds", str(partition))
        self._commit_seconds = meters.histogram("segue_commit_seconds")
        self._commit_records = meters.histogram("segue_commit_records")
        self._timer_steps = meters.counter("segue_timer_steps_total")
        self._entries_merged = meters.counter("segue_window_entries_merged_total")
        self._given_up = meters.counter("segue_events_uncorrectable_total")
        self._timer_lateness = meters.histogram("segue_timer_lateness_seconds")
        self._number = meters.gauge("segue_definitions_number", str(partition))
        self._changes = meters.counter("segue_definitions_changes_total")
        self._change_seconds = meters.histogram("segue_definitions_change_seconds")
        self._sizes: dict[str, int] = {}
        self._steps = self._latest_ms = 0  # of timers since the last commit

    def loaded(self, sizes: Mapping[str, int], segments: Iterable[str], clock_ms: int) -> None:
        """These are the sizes of segments in the partition now."""
        self.closed()
        self._resize(dict.fromkeys(segments, 0) | dict(sizes))
        self._clock.set(clock_ms / 1000)

    def holds(self, number: int) -> None:
        """The definitions of this number hold; 0 before there are any."""
        self._number.set(number)

    def changed(self, seconds: float) -> None:
        """A change of definitions was made and told, and nothing was folded meanwhile."""
        self._changes.inc()
        self._change_seconds.observe(seconds)

    def released(self, late_ms: int, steps: int) -> None:
        """Timers fired, the earliest of them this long after its instant."""
        self._steps += steps
        self._latest_ms = max(self._latest_ms, late_ms)

    def folded(
        self, admitted: Sequence[Admitted], outcomes: Sequence[Outcome], entries_merged: int, given_up: int
    ) -> None:
        """A batch's records were folded; for them, so many entries of windows were merged into others, and so many
        events given up that could have been corrected still."""
        self._entries_merged.inc(entries_merged)
        self._given_up.inc(given_up)
        for kind, count in Counter([entry.type for entry in admitted]).items():
            self._meters.counter("segue_records_total", kind).inc(count)
        for outcome, count in Counter(outcomes).items():
            self._meters.counter("segue_record_outcomes_total", outcome.result).inc(count)
            if outcome.late:
                self._meters.counter("segue_records_late_total").inc(count)
            if outcome.future:
                self._meters.counter("segue_records_future_total").inc(count)

    def committed(self, commit: Commit, transitions: Sequence[Transition], seconds: float) -> None:
        """A commit was made, with these transitions."""
        if self._steps:
            self._timer_steps.inc(self._steps)
            self._timer_lateness.observe(self._latest_ms / 1000)
            self._steps = self._latest_ms = 0
        self._commit_seconds.observe(seconds)
        self._commit_records.observe(commit.after.offset - commit.before.offset)
        self._clock.set(commit.clock_ms / 1000)
        for labels, count in Counter((one.segment, one.type, one.cause.kind) for one in transitions).items():
            self._meters.counter("segue_transitions_total", *labels).inc(count)
        moved: Counter[str] = Counter()
        for change in commit.memberships:
            moved[change.segment] += 1 if change.entered else -1
        self._resize(moved)

    def closed(self) -> None:
        """The partition is not ours any more: its members are no longer counted here."""
        self._resize({segment: -size for segment, size in self._sizes.items()})

    def _resize(self, differences: Mapping[str, int]) -> None:
        for segment, difference in differences.items():
            self._sizes[segment] = self._sizes.get(segment, 0) + difference
            self._meters.gauge("segue_segment_members", segment).inc(difference)
