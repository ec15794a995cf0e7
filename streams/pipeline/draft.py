"""A commit in the making: what the records since the last one have caused."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.transitions import Transition, encode_transition
from streams.pipeline.workspace import Changes
from streams.ports import Commit, Cursor, Fence, MembershipChange, OutboxEntry, PartitionMeta


class Draft:
    """Numbers transitions, and gathers them for the next commit."""

    def __init__(self, meta: PartitionMeta) -> None:
        """Go on from what is stored."""
        self._epoch = meta.epoch
        self._before = meta.cursor
        self._offset = meta.cursor.offset
        self._steps = meta.cursor.steps  # timer steps on behalf of the record at `_offset`
        self._index = meta.index  # transitions that it caused
        self._seq = meta.seq
        self.timer_steps = 0
        """Taken since the last commit."""
        self.transitions: list[Transition] = []
        """Taken since the last commit."""
        self._outbox: list[OutboxEntry] = []

    def count_timer_steps(self, steps: int, offset: int) -> None:
        """Note timer steps on behalf of the record at `offset`."""
        self._turn_to(offset)
        self._steps += steps
        self.timer_steps += steps

    def add(self, transitions: Sequence[Transition], offset: int) -> None:
        """Note transitions that the record at `offset` caused, in order."""
        self._turn_to(offset)
        for transition in transitions:
            self._seq += 1
            self._outbox.append(
                OutboxEntry(
                    self._seq,
                    self._offset,
                    self._index,
                    self._epoch,
                    transition.transition_id,
                    transition.contact_id,
                    encode_transition(transition),
                )
            )
            self._index += 1
        self.transitions += transitions

    def within_record(self, offset: int) -> Cursor:
        """The cursor at which the record at `offset` has released timers, and more are to come."""
        self._turn_to(offset)
        return Cursor(offset, self._steps)

    def commit(
        self, fence: Fence, after: Cursor, clock_ms: int, changes: Changes, definitions: tuple[str, int] | None
    ) -> Commit:
        """All of it, as the step from the last commit to `after`."""
        self._turn_to(after.offset)
        text, number = definitions or (None, 0)
        return Commit(
            fence=fence,
            before=self._before,
            after=after,
            index=self._index,
            clock_ms=clock_ms,
            seq=self._seq,
            contacts=changes.states,
            timers=changes.timers,
            outbox=self._outbox,
            memberships=[
                MembershipChange(one.segment, one.contact_id, one.type == "segment.entered", one.effective_at)
                for one in self.transitions
            ],
            definitions=text,
            definitions_number=number,
        )

    def committed(self, commit: Commit) -> None:
        """Begin the next one."""
        self._before = commit.after
        self.timer_steps = 0
        self.transitions = []
        self._outbox = []

    def _turn_to(self, offset: int) -> None:
        if offset != self._offset:
            self._offset = offset
            self._steps = self._index = 0
