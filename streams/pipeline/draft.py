"""A commit in the making: what the records since the last one have caused."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.forwards import Sending, Taken
from schemas.transitions import Transition, encode_transition
from streams.pipeline.workspace import Changes
from streams.ports import Commit, Cursor, Fence, MembershipChange, OutboxEntry, PartitionMeta
from streams.versions import Version


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
        self._memberships: list[MembershipChange] = []
        self.sendings: list[Sending] = []
        """To other contacts, since the last commit."""
        self.taken = meta.taken
        """What of others' sendings was taken, as of the last commit."""

    def count_timer_steps(self, steps: int, offset: int) -> None:
        """Note timer steps on behalf of the record at `offset`."""
        self._turn_to(offset)
        self._steps += steps
        self.timer_steps += steps

    def add(self, transitions: Sequence[Transition], offset: int) -> None:
        """Note transitions that the record at `offset` caused, in order."""
        self._turn_to(offset)
        self._number(transitions)
        self._note_memberships(transitions)

    def tell(self, transitions: Sequence[Transition], offset: int) -> None:
        """Note the transitions of one contact, which a change of definitions at `offset` causes.

        It is a step of its own. The members of the segments are known already: they were built with the rest.
        """
        self._turn_to(offset)
        self._steps += 1
        self._number(transitions)

    def _number(self, transitions: Sequence[Transition]) -> None:
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

    def _note_memberships(self, transitions: Sequence[Transition]) -> None:
        self._memberships += [
            MembershipChange(one.segment, one.contact_id, one.type == "segment.entered", one.effective_at)
            for one in transitions
        ]

    def within_record(self, offset: int) -> Cursor:
        """The cursor at which the record at `offset` has released timers, and more are to come."""
        self._turn_to(offset)
        return Cursor(offset, self._steps)

    def commit(
        self,
        fence: Fence,
        after: Cursor,
        clock_ms: int,
        changes: Changes,
        holding: tuple[str, tuple[Version, ...]] | None = None,
        taken: Taken = (),
        sendings: tuple[Sending, ...] | None = None,
    ) -> Commit:
        """All of it, as the step from the last commit to `after`. `holding`: definitions that came to hold.

        `taken`: of all forwards by now; `sendings`: all that are to be stored, where they are not as they were.
        """
        self._turn_to(after.offset)
        text, versions = holding or (None, ())
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
            memberships=self._memberships,
            definitions=text,
            versions=versions,
            taken=None if taken == self.taken else taken,
            sendings=sendings,
        )

    def committed(self, commit: Commit) -> None:
        """Begin the next one."""
        self._before = commit.after
        self.timer_steps = 0
        self.transitions = []
        self._outbox = []
        self._memberships = []
        self.sendings = []
        if commit.taken is not None:
            self.taken = commit.taken

    def _turn_to(self, offset: int) -> None:
        if offset != self._offset:
            self._offset = offset
            self._steps = self._index = 0


class BuildDraft(Draft):
    """A draft of a build, of whose moves nobody is told: only who is a member is noted."""

    def add(self, transitions: Sequence[Transition], offset: int) -> None:
        """Note transitions that the record at `offset` caused, in order."""
        self._turn_to(offset)
        self.transitions += transitions
        self._note_memberships(transitions)
