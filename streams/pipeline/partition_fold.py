"""Folds admitted records through a store: what serves and what is built do it alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from schemas.forwards import Taken
from streams.pipeline.admission import Admission, Admitted
from streams.pipeline.draft import Draft
from streams.pipeline.folding import Folding, FoldMeters
from streams.pipeline.ports import PipelineBounds
from streams.pipeline.workspace import Workspace
from streams.ports import Cursor, FoldStore
from streams.segmentation import Core


class PartitionFold(ABC):
    """One partition's fold, as far as its store and its workspace are concerned."""

    def __init__(
        self,
        partition: int,
        partitions: int,
        topic: str,
        store: FoldStore,
        bounds: PipelineBounds,
        meters: FoldMeters,
    ) -> None:
        """`topic` is that of the log, which has `partitions`."""
        self.partition = partition
        self._store = store
        self._bounds = bounds
        self._admission = Admission(topic, partition, partitions, keys_cached_max=bounds.contacts_cached_max)
        self._folding = Folding(bounds.timers_per_commit_max, bounds.transitions_per_commit_max, meters)
        self._workspace: Workspace | None = None  # None until definitions are known
        self._cursor = Cursor(0, 0)
        self._clock_ms = 0
        self._taken: Taken = ()
        self._earliest_due_ms: int | None = None

    @property
    def cursor(self) -> Cursor:
        """The next record to apply, and the timer steps committed on its behalf."""
        return self._cursor

    @property
    def clock_ms(self) -> int:
        """The partition's clock: the largest timestamp of a valid record."""
        return self._clock_ms

    @property
    def earliest_due_ms(self) -> int | None:
        """When the partition's next timer is due; None if there is none."""
        return self._earliest_due_ms

    def _work_with(self, core: Core) -> None:
        """Begin a workspace at the cursor."""
        bounds = self._bounds
        self._workspace = Workspace(core, self.partition, self._clock_ms, bounds.contacts_cached_max, self._taken)

    async def _look(self) -> None:
        """See that the state is at the cursor, and when its next timer is due."""
        loaded = await self._store.load(self.partition, self._cursor, (), None, 0)
        self._earliest_due_ms = loaded.earliest_due_ms

    async def _fold(self, admitted: Sequence[Admitted], draft: Draft) -> None:
        """Fold records; what they change is committed, but for the last part of it."""
        workspace = self._workspace
        if workspace is None or not admitted:
            return
        until_ms = max(workspace.fold.clock_ms, *(entry.timestamp_ms for entry in admitted))
        missing = workspace.begin(dict.fromkeys(entry.key for entry in admitted if entry.record is not None))
        await self._load(missing, until_ms, workspace)
        for after in self._folding.fold(admitted, workspace, draft):
            await self._commit(after, draft)
            workspace.trim(between_batches=False)
            await self._load((), until_ms, workspace)

    async def _load(self, keys: Sequence[str], until_ms: int, workspace: Workspace) -> None:
        """Know these contacts, and the timers due by `until_ms`, or as many as one commit admits of them."""
        due = self._earliest_due_ms is not None and self._earliest_due_ms <= until_ms
        if keys or due:
            limit = self._bounds.timers_per_commit_max
            due_until_ms = until_ms if due else None
            loaded = await self._store.load(self.partition, self._cursor, keys, due_until_ms, limit)
            workspace.take_in(loaded, limit)

    @abstractmethod
    async def _commit(self, after: Cursor, draft: Draft) -> None:
        """Move on to `after`, with all that was folded."""
