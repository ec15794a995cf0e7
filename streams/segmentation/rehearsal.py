"""The core over a history, under definitions that do not hold yet."""

from __future__ import annotations

from schemas.transitions import Cause, Transition, TransitionType
from streams.segmentation.contact import Contact
from streams.segmentation.core import Core
from streams.segmentation.program import CompiledSegment
from streams.segmentation.steps import Step

_NO_CAUSE = Cause("timer", "")


class RehearsingCore(Core):
    """Nobody is told of its moves: how often a contact was in a segment counts for nothing, only whether it is.

    What it emits says who moved where and when, and nothing else. Its states are those of an ordinary core for the
    same definitions, in which every member has entered once and nobody has left.
    """

    def _move(self, contact: Contact, segment: CompiledSegment, step: Step) -> None:
        sequence = 1 if contact.bits & segment.bit else 2
        contact.sequences[segment.index] = sequence
        contact.since_ms[segment.index] = step.at_ms
        contact_id = contact.contact_id
        assert contact_id is not None, "only a contact that exists moves"
        kind: TransitionType = "segment.entered" if sequence & 1 else "segment.exited"
        label = segment.label
        step.emitted.append(
            Transition(
                "", kind, contact_id, label.name, label.tags, label.definition, sequence, step.at_ms, step.now_ms,
                _NO_CAUSE, {}, None,
            )
        )  # fmt: skip

    def _stored_moves(self, contact: Contact) -> dict[int, tuple[int, int]]:
        known_since_ms = contact.known_since_ms
        return {
            index: (1, contact.since_ms[index] - known_since_ms)
            for index in sorted(contact.sequences)
            if contact.sequences[index] & 1
        }
