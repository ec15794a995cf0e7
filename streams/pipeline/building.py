"""Folds the history of a partition under definitions that do not hold yet, into the state that will serve with them.

Whoever plans a change builds, as far as the log goes then. The partition's owner brings the build to the record that
makes the change, or makes all of it: what one has done is as good as another's, all of it being a function of the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import BugError, InputError
from streams.generations import Build, BuildStore
from streams.pipeline.admission import Admitted
from streams.pipeline.draft import BuildDraft, Draft
from streams.pipeline.partition_fold import PartitionFold
from streams.pipeline.ports import PipelineBounds
from streams.ports import Cursor, Fence, PartitionMeta, RawRecord
from streams.segmentation import Definitions, Outcome, rehearsing_core_of


class HistoryGoneError(InputError):
    """The log lacks records that a build needs."""

    def __init__(self, partition: int, begins_at: int, needed_from: int) -> None:
        super().__init__(
            f"partition {partition}: the log begins at offset {begins_at} by now, and new definitions need its "
            f"history from offset {needed_from} on"
        )
        self.begins_at = begins_at


class _NoMeters:
    """What was counted when it was new is not counted again."""

    def released(self, late_ms: int, steps: int) -> None:
        """Timers fired."""

    def folded(
        self, admitted: Sequence[Admitted], outcomes: Sequence[Outcome], entries_merged: int, given_up: int
    ) -> None:
        """A batch's records were folded."""


class Builder(PartitionFold):
    """Builds one partition's state. Its errors are those of `PartitionPipeline`; after one, call `begin` again."""

    def __init__(
        self,
        partition: int,
        store: BuildStore,
        definitions: Definitions,
        *,
        topic: str,
        partitions: int,
        bounds: PipelineBounds | None = None,
        short_history: bool = False,
    ) -> None:
        """`topic` is that of the log, which has `partitions`. `short_history`: its start may be gone."""
        super().__init__(partition, partitions, topic, store, bounds or PipelineBounds(), _NoMeters())
        self.definitions = definitions
        self._builds = store
        self._short_history = short_history
        self._begun: Build | None = None
        self._draft: BuildDraft | None = None  # None while nothing in memory is to be believed

    @property
    def build(self) -> Build:
        """How far it has come, once it has begun."""
        assert self._begun is not None, "a build that is asked for has begun"
        return self._begun._replace(cursor=self._cursor, clock_ms=self._clock_ms)

    async def begin(self, *, owner: Fence | None, anew: bool = False) -> Build:
        """Go on where a build for these definitions stands, or begin one.

        `owner` is the fence of who folds the partition, None for anybody else.
        """
        self._draft = None
        self._begun = build = await self._builds.begin(
            self.partition, self.definitions.identity, owner=owner, anew=anew
        )
        self._cursor, self._clock_ms, self._taken = build.cursor, build.clock_ms, build.taken
        await self._look()
        self._admission.restore(self.definitions.identity)
        self._work_with(rehearsing_core_of(self.definitions))
        self._draft = BuildDraft(PartitionMeta(cursor=build.cursor, clock_ms=build.clock_ms, taken=build.taken))
        return build

    async def apply(self, records: Sequence[RawRecord]) -> None:
        """Fold consecutive records and commit them. Raises `HistoryGoneError` where the log lacks some before them."""
        draft, self._draft = self._draft, None
        workspace = self._workspace
        if draft is None or workspace is None:
            raise BugError(f"the build of partition {self.partition} has not begun")
        records = [record for record in records if record.offset >= self._cursor.offset]
        if records:
            if records[0].offset != self._cursor.offset and (self._cursor.offset or not self._short_history):
                raise HistoryGoneError(self.partition, records[0].offset, self._cursor.offset)
            admitted, _ = self._admission.admit_all(records)  # the others the worker has put away, or will
            await self._fold(admitted, draft)
            await self._commit(Cursor(records[-1].offset + 1, 0), draft)
            workspace.trim(between_batches=True)
        self._draft = draft

    async def release(self, clock_ms: int, before: tuple[int, str] | None) -> None:
        """Fire timers on behalf of the record at the cursor, which is not applied, at its clock.

        They are those that come before the timer `before`, (due, key), in that order; all that are due if it is None.
        """
        draft, self._draft = self._draft, None
        workspace = self._workspace
        if draft is None or workspace is None:
            raise BugError(f"the build of partition {self.partition} has not begun")
        offset, fold, most = self._cursor.offset, workspace.fold, self._bounds.timers_per_commit_max
        while True:
            await self._load((), clock_ms, workspace)
            last = min((bound for bound in (workspace.until, before) if bound is not None), default=None)
            steps = 0
            while steps < most and (timer := fold.next_timer()) is not None and timer[0] <= clock_ms:
                if timer == before or (last is not None and timer > last):
                    break
                steps += fold.fire(clock_ms, offset, limit=1)
            if not steps:
                break
            draft.count_timer_steps(steps, offset)
            draft.add(fold.emitted, offset)
            fold.emitted.clear()
            await self._commit(draft.within_record(offset), draft)
        self._draft = draft

    async def _commit(self, after: Cursor, draft: Draft) -> None:
        assert self._workspace is not None, "a build that folds has begun"
        changes, clock_ms = self._workspace.changes(), self._workspace.fold.clock_ms
        commit = draft.commit(self.build.fence, after, clock_ms, changes, taken=self._workspace.taken)
        self._earliest_due_ms = await self._store.commit(self.partition, commit)
        self._cursor, self._clock_ms = after, clock_ms
        self._workspace.settle(changes)
        draft.committed(commit)
