"""The pipeline: one partition's log, folded into its state and its output, exactly once.

The order of effects, on ports alone: decide on each record, publish the dead letters, load the contacts and timers
that are needed, run the core, commit, hand the transitions to the relay. Whatever happens between two of these
steps, the state stands at a cursor, and folding goes on from there: a commit that was not made is made again
with the same content, since all of it is a function of the log.

How the log is cut into batches shows nowhere: not in a byte of state, not in a seq, not in a position.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from schemas.errors import BugError
from schemas.forwards import Sending
from schemas.records import DefinitionsRecord
from streams.generations import Holding
from streams.pipeline.admission import Admitted, Change, consecutive_from
from streams.pipeline.changing import Changing, holding_from
from streams.pipeline.dead_letters import DeadLetters
from streams.pipeline.draft import Draft
from streams.pipeline.forwarder import Forwarder
from streams.pipeline.meters import PipelineMeters
from streams.pipeline.partition_fold import PartitionFold
from streams.pipeline.ports import PipelineBounds, PipelinePorts
from streams.pipeline.relay import Relay
from streams.pipeline.succeeding import Serving
from streams.pipeline.upgrading import Upgrading
from streams.pipeline.workspace import Changes
from streams.ports import Cursor, CursorMismatchError, Fence, PartitionMeta, RawRecord
from streams.segmentation import Definitions, core_of, parse_canonical

__all__ = ["PartitionPipeline", "PipelineBounds", "PipelinePorts"]


class PartitionPipeline(PartitionFold):
    """Folds one partition for as long as this process owns it.

    Every method may raise `UnavailableError` (something is down), `FenceLostError` (another owner), and
    `CursorMismatchError` (Redis is not where it was left, or a record is missing). After any of them nothing in
    memory is believed: call `load` again, and read the log from the offset that it returns. All of them may be
    tried again for ever; it is for the caller to wait in between. `InputError` and `BugError` do not go away.
    """

    def __init__(self, partition: int, ports: PipelinePorts, bounds: PipelineBounds | None = None) -> None:
        bounds, meters = bounds or PipelineBounds(), PipelineMeters(ports.meters, partition)
        super().__init__(partition, ports.partitions, ports.names.tracking, ports.store, bounds, meters)
        self._ports = ports
        self._log = ports.log._replace(partitions=ports.partitions)
        self._meters = meters
        self._dead_letters = DeadLetters(
            partition, ports, ratio_max=bounds.dead_letter_ratio_max, window_records=bounds.dead_letter_window_records
        )
        self._relay = Relay(partition, ports, entries_max=bounds.outbox_entries_max)
        self._forwarder = Forwarder(partition, ports, waiting_max=bounds.forwards_waiting_max)
        self._stored_sendings: tuple[Sending, ...] = ()
        self._changing = Changing(partition, ports, bounds)
        self._upgrading = Upgrading(partition, ports, bounds)
        self.on_standstill: Callable[[], None] = lambda: None
        """Called where a change of definitions begins, for which records have to wait."""
        self._fence = Fence(0, "")
        self._meta = PartitionMeta()
        self._draft: Draft | None = None  # None while nothing in memory is to be believed
        self._definitions: Definitions | None = None  # None until they are known
        self._holding: Holding | None = None  # what the next commit lets hold

    @property
    def progress(self) -> Hashable:
        """Differs from what it was when something was done, be it that no commit tells of it yet."""
        return self._cursor, self._changing.progress, self._upgrading.progress

    @property
    def outbox_waiting(self) -> int:
        """Transitions committed that the broker has not acknowledged yet."""
        return self._relay.waiting

    @property
    def is_tidying(self) -> bool:
        """Whether what served before a change is still being removed."""
        return self._changing.is_tidying

    @property
    def is_sending(self) -> bool:
        """Whether something for other contacts is on its way to the log."""
        return bool(self._forwarder.waiting)

    async def load(self, fence: Fence) -> int:
        """Take the fence, resume the output, and return the offset from which the log is to be read.

        A state of an older format is built anew first, which takes long where nothing of it was built beforehand.

        Raises `InputError` too: the state or the output belongs to another log, or is of a newer format, or of an older
        one that cannot be built anew.
        """
        self._draft = self._holding = None
        self._changing.close()
        await self._relay.pause()
        await self._forwarder.pause()
        store, partition = self._ports.store, self.partition
        meta = await store.take(partition, fence, self._log)
        committed = await self._relay.read_outbox()
        published = await self._relay.read_tail()
        epoch = meta.epoch if published is None else published.epoch
        if epoch > meta.epoch or (meta.outdated_format is not None and meta.definitions is None):
            # An operator raised the epoch; Redis was emptied, or set back to before that. Or nothing counted yet.
            meta, committed = await store.start_over(partition, fence, max(epoch, meta.epoch)), []
        elif meta.outdated_format is not None:
            serving = Serving(meta.generation, fence, meta.cursor, meta.clock_ms)
            meta = await self._upgrading.take_over(serving, meta)
        await self._dead_letters.load(meta.epoch)
        self._relay.resume(meta.epoch, published, committed)
        self._forwarder.resume(meta.sendings, meta.clock_ms)
        self._fence = fence
        self._restore(meta)
        await self._look()
        self._draft = Draft(meta)
        return meta.cursor.offset

    async def apply(self, records: Sequence[RawRecord]) -> None:
        """Fold consecutive records and commit them; those that were applied before are passed over.

        Raises `CursorMismatchError` too, when a record is missing between the last one and these, or among
        these; then those before the gap are applied. Raises `InputError` when too many records are bad, or the
        log's first valid record brings no definitions.
        """
        draft, self._draft = self._draft, None
        if draft is None:
            raise BugError(f"partition {self.partition} is not loaded")
        unseen = [record for record in records if record.offset >= self._cursor.offset]
        consecutive = consecutive_from(unseen, self._cursor.offset)
        if consecutive:
            draft = await self._fold_batch(unseen[:consecutive], draft)
        if consecutive < len(unseen):
            raise CursorMismatchError(Cursor(unseen[consecutive].offset, 0), self._cursor)
        self._draft = draft

    async def verify(self) -> None:
        """Look whether the state is where it was left. Raises `CursorMismatchError` when it is not."""
        await self._look()

    async def close(self) -> None:
        """Wait for the acknowledgement of the output under way. What is queued beyond it stays in the outbox."""
        self._draft = None
        await self._relay.pause()
        await self._forwarder.pause()
        self._changing.close()
        self._meters.closed()

    def _restore(self, meta: PartitionMeta) -> None:
        self._admission.restore(meta.versions[-1].identity if meta.versions else "")
        self._workspace = self._definitions = None
        self._stand_at(meta)
        if meta.former is not None and self._telling_at is None:
            self._changing.drop_former(meta.generation)

    def _stand_at(self, meta: PartitionMeta) -> None:
        """Go on from what is stored."""
        self._meta, self._cursor, self._clock_ms = meta, meta.cursor, meta.clock_ms
        self._taken, self._stored_sendings = meta.taken, meta.sendings
        segments: list[str] = []
        if meta.definitions is not None:
            definitions = parse_canonical(meta.definitions, meta.versions[-1].semantics)
            segments = [segment.name for segment in definitions.segments]
            self._hold(definitions)
        self._meters.loaded(meta.sizes, segments, meta.clock_ms)
        self._meters.holds(meta.definitions_number)

    @property
    def _now_ms(self) -> int:
        """The clock at the record that is folded."""
        return self._clock_ms if self._workspace is None else self._workspace.fold.clock_ms

    def _hold(self, definitions: Definitions) -> None:
        """Work under these definitions from here on."""
        if self._workspace is not None:
            self._taken = self._workspace.taken
        self._definitions = definitions
        self._work_with(core_of(definitions))

    @property
    def _telling_at(self) -> int | None:
        """The record whose change is made, where not all that it changes is told yet."""
        telling = self._meta.former is not None and self._meta.versions[-1].offset == self._cursor.offset
        return self._cursor.offset if telling else None

    async def _fold_batch(self, records: Sequence[RawRecord], draft: Draft) -> Draft:
        admitted, rejected = self._admission.admit_all(records)
        await self._dead_letters.pass_over(records, rejected)
        begun = 0
        for place, entry in enumerate(admitted):
            change = entry.change
            if change is not None and (change.definitions is not None or entry.offset == self._telling_at):
                await self._fold(admitted[begun:place], draft)
                if (before := Cursor(entry.offset, 0)) > self._cursor:
                    await self._commit(before, draft)
                draft = await self._pass_change(entry, change, draft)
                begun = place + 1
        await self._fold(admitted[begun:], draft)
        end = Cursor(records[-1].offset + 1, 0)
        if end != self._cursor:
            await self._commit(end, draft)
        if self._workspace is not None:
            self._workspace.trim(between_batches=True)
        return draft

    async def _pass_change(self, entry: Admitted, change: Change, draft: Draft) -> Draft:
        """Let the definitions of a record hold, and tell what they change. Returns the draft to go on with."""
        record, definitions, former = change.record, change.definitions, self._definitions
        after, started = Cursor(entry.offset + 1, 0), time.perf_counter()
        if definitions is not None:
            if former is None:
                self._hold(definitions)
            await self._fold([entry], draft)
            holding = holding_from(record, entry.offset, self._now_ms, self._meta.versions)
            if former is None or former.meaning == definitions.meaning:
                self._holding = holding
                await self._commit(after, draft)
                self._meta = replace(self._meta, versions=holding.versions)
                self._hold(definitions)
                self._meters.holds(record.number)
                if former is not None:
                    self._meters.changed(time.perf_counter() - started)
                return draft
            draft = await self._succeed(entry.offset, former, definitions, holding, draft)
        await self._tell(record, draft)
        # As long as the cursor is at the record, what is still to be told is told from both states.
        await self._commit(after, draft)
        self._meters.changed(time.perf_counter() - started)
        self._changing.drop_former(self._meta.generation)
        return draft

    async def _succeed(
        self, offset: int, former: Definitions, definitions: Definitions, holding: Holding, draft: Draft
    ) -> Draft:
        """Let the state that is built for the definitions serve in place of the one that does."""
        self.on_standstill()
        at = draft.within_record(offset)
        if at != self._cursor:
            await self._commit(at, draft)
        serving = Serving(self._meta.generation, self._fence, self._cursor, self._now_ms)
        meta = await self._changing.succeed(serving, former, definitions, holding)
        self._stand_at(meta)
        await self._look()
        return Draft(meta)

    async def _tell(self, record: DefinitionsRecord, draft: Draft) -> None:
        """Tell what the change at the cursor makes different, in bounded commits."""
        assert self._workspace is not None, "what has definitions is worked with"
        here, offset = replace(self._meta, cursor=self._cursor), self._cursor.offset
        async for told in self._changing.differences(here, self._workspace.core, record):
            for transitions in told.steps:
                draft.tell(transitions, offset)
            await self._commit(draft.within_record(offset), draft, Changes(told.states, {}))

    async def _commit(self, after: Cursor, draft: Draft, changes: Changes | None = None) -> None:
        """Move on to `after`. `changes` is given where they are not the workspace's own."""
        await self._relay.room()
        await self._forwarder.room()
        workspace = self._workspace if changes is None else None
        if changes is None:
            changes = Changes({}, {}) if workspace is None else workspace.changes()
        clock_ms = self._now_ms
        sendings = (*self._forwarder.waiting, *draft.sendings)
        commit = draft.commit(
            self._fence,
            after,
            clock_ms,
            changes,
            self._holding,
            taken=draft.taken if self._workspace is None else self._workspace.taken,
            sendings=None if sendings == self._stored_sendings else sendings,
        )
        assert commit.after > commit.before, "every commit moves on, else a crowd of timers would never end"
        started = time.perf_counter()
        self._earliest_due_ms = await self._ports.store.commit(self.partition, commit)
        self._meters.committed(commit, draft.transitions, time.perf_counter() - started)
        self._cursor, self._clock_ms = after, clock_ms
        self._holding = None
        if workspace is not None:
            workspace.settle(changes)
        self._stored_sendings = sendings
        self._forwarder.offer(draft.sendings, clock_ms)
        draft.committed(commit)
        self._relay.offer(commit.outbox, clock_ms)
