"""Folds the history of a partition under definitions that do not hold yet, into the state that will serve with them.

Whoever plans a change builds, as far as the log goes then. The partition's owner brings the build to the record that
makes the change, or makes all of it: what one has done is as good as another's, all of it being a function of the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import BugError, InputError
from streams.generations import Build, BuildStore
from streams.pipeline.admission import Admission, Admitted
from streams.pipeline.draft import BuildDraft
from streams.pipeline.folding import Folding
from streams.pipeline.ports import PipelineBounds
from streams.pipeline.workspace import Workspace
from streams.ports import Cursor, PartitionMeta, RawRecord
from streams.segmentation import Definitions, Outcome, RehearsingCore


class _NoMeters:
    """What was counted when it was new is not counted again."""

    def released(self, late_ms: int, steps: int) -> None:
        """Timers fired."""

    def folded(self, admitted: Sequence[Admitted], outcomes: Sequence[Outcome], entries_merged: int) -> None:
        """A batch's records were folded."""


class Builder:
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
        self._short_history = short_history
        self.partition = partition
        self._store = store
        self.definitions = definitions
        self._bounds = bounds = bounds or PipelineBounds()
        self._admission = Admission(topic, partition, partitions, keys_cached_max=bounds.contacts_cached_max)
        self._folding = Folding(
            self._bounds.timers_per_commit_max, self._bounds.transitions_per_commit_max, _NoMeters()
        )
        self._workspace: Workspace | None = None
        self._draft: BuildDraft | None = None  # None while nothing in memory is to be believed
        self._earliest_due_ms: int | None = None
        self.build: Build | None = None
        """How far it has come; None before `begin`."""

    async def begin(self, *, owner: bool, anew: bool = False) -> Build:
        """Go on where a build for these definitions stands, or begin one; `owner` is whoever folds the partition."""
        self._draft = None
        build = await self._store.begin(self.partition, self.definitions.hash, owner=owner, anew=anew)
        loaded = await self._store.load(self.partition, build.cursor, (), None, 0)
        self._earliest_due_ms = loaded.earliest_due_ms
        self._admission.restore(self.definitions.hash)
        core = RehearsingCore(self.definitions)
        self._workspace = Workspace(core, self.partition, build.clock_ms, self._bounds.contacts_cached_max)
        self._draft = BuildDraft(PartitionMeta(cursor=build.cursor, clock_ms=build.clock_ms))
        self.build = build
        return build

    async def apply(self, records: Sequence[RawRecord]) -> None:
        """Fold consecutive records and commit them. Raises `InputError` where the log lacks some before them."""
        draft, self._draft = self._draft, None
        build, workspace = self.build, self._workspace
        if draft is None or build is None or workspace is None:
            raise BugError(f"the build of partition {self.partition} has not begun")
        records = [record for record in records if record.offset >= build.cursor.offset]
        if records:
            if records[0].offset != build.cursor.offset and (build.cursor.offset or not self._short_history):
                raise self._history_gone(records[0].offset)
            admitted, _ = self._admission.admit_all(records)  # the others the worker has put away, or will
            await self._fold(admitted, workspace, draft)
            await self._commit(Cursor(records[-1].offset + 1, 0), workspace, draft)
            workspace.trim(between_batches=True)
        self._draft = draft

    async def _fold(self, admitted: Sequence[Admitted], workspace: Workspace, draft: BuildDraft) -> None:
        until_ms = max(max((entry.timestamp_ms for entry in admitted), default=0), workspace.fold.clock_ms)
        missing = workspace.begin(dict.fromkeys(entry.key for entry in admitted if entry.record is not None))
        await self._load(missing, until_ms, workspace)
        for after in self._folding.fold(admitted, workspace, draft):
            await self._commit(after, workspace, draft)
            workspace.trim(between_batches=False)
            await self._load((), until_ms, workspace)

    async def _load(self, keys: Sequence[str], until_ms: int, workspace: Workspace) -> None:
        due = self._earliest_due_ms is not None and self._earliest_due_ms <= until_ms
        if keys or due:
            limit = self._bounds.timers_per_commit_max
            assert self.build is not None, "a build that folds has begun"
            at, due_until_ms = self.build.cursor, until_ms if due else None
            workspace.take_in(await self._store.load(self.partition, at, keys, due_until_ms, limit), limit)

    async def _commit(self, after: Cursor, workspace: Workspace, draft: BuildDraft) -> None:
        assert self.build is not None, "a build that folds has begun"
        changes, clock_ms = workspace.changes(), workspace.fold.clock_ms
        commit = draft.commit(self.build.fence, after, clock_ms, changes)
        self._earliest_due_ms = await self._store.commit(self.partition, commit)
        self.build = self.build._replace(cursor=after, clock_ms=clock_ms)
        workspace.settle(changes)
        draft.committed(commit)

    def _history_gone(self, offset: int) -> InputError:
        assert self.build is not None, "a build that folds has begun"
        return InputError(
            f"partition {self.partition}: the log begins at offset {offset} by now, and new definitions need its "
            f"history from offset {self.build.cursor.offset} on"
        )
