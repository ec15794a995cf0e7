"""What a contact keeps when definitions change: how it stands with each segment, by the segment's name.

All else that the new definitions know of it comes out of its history; only how often it was in a segment, and that it
is known to be in it, is what was told under the definitions before.
"""

from __future__ import annotations

from streams.segmentation.contact import Contact, Standing
from streams.segmentation.definitions import Definitions
from streams.segmentation.file_parts import Label
from streams.segmentation.program import Program
from streams.segmentation.steps import Step, moved, transition
from streams.segmentation.stored import StoredHeir, decode_stored

_UNTOLD = "where the definitions differ about a contact, the step that changes them says so"


class Former:
    """Definitions that held before, as far as those who were told of their segments are concerned."""

    def __init__(self, definitions: Definitions) -> None:
        self.labels: tuple[Label, ...] = tuple(segment.label() for segment in definitions.segments)
        """In order of evaluation, which is also the order of the numbers under which states have them."""

    def heritage(self, raw: bytes) -> Heritage:
        """What a contact has to pass on, from its state under these definitions."""
        return Heritage(self.labels, decode_stored(raw))


class Heritage:
    """What one contact was told under the definitions before."""

    def __init__(self, labels: tuple[Label, ...], stored: StoredHeir) -> None:
        self.who = None if stored.contact_id is None else (stored.contact_id, stored.created_by)
        """Its id, and that of the event that made it; None where nothing but an erasure's remains was left of it."""
        self.labels = labels
        known_since_ms = stored.known_since_ms
        self.standings = {name: Standing(*_at(move, known_since_ms)) for name, move in stored.retired.items()}
        for index, move in stored.moves.items():
            self.standings[labels[index].name] = Standing(*_at(move, known_since_ms))


def _at(move: tuple[int, int], known_since_ms: int) -> tuple[int, int]:
    return move[0], known_since_ms + move[1]


def inherit(contact: Contact, heritage: Heritage | None, program: Program, step: Step | None) -> None:
    """Let a contact, as its history makes it under new definitions, go on from how it stood under those before.

    Where both agree on a membership nothing is emitted. Where they do not, the step's transitions say so: first it
    leaves segments that are no more, in the order in which they were evaluated, then it leaves and enters others in
    order of evaluation. Without a step nothing may differ. `heritage` is None for a contact that was not known.
    """
    standings = {} if heritage is None else heritage.standings
    contact.courses.clear()
    if heritage is not None:
        _retire(contact, heritage, program, step)
    if not contact.exists:
        return
    for segment in program.segments:
        index, standing = segment.index, standings.get(segment.name)
        sequence = 0 if standing is None else standing.sequence
        member = bool(contact.bits & segment.bit)
        if member == bool(sequence & 1):
            if standing is not None:
                contact.sequences[index], contact.since_ms[index] = standing
            continue
        assert step is not None, _UNTOLD
        contact.sequences[index] = sequence + 1
        contact.since_ms[index] = contact.since_ms[index] if member else step.at_ms
        step.emitted.append(moved(contact, segment, step))
    contact.courses.clear()


def _retire(contact: Contact, heritage: Heritage, program: Program, step: Step | None) -> None:
    names = program.names if contact.exists else frozenset()
    standings = heritage.standings
    for label in heritage.labels:
        standing = standings.get(label.name)
        if standing is not None and label.name not in names and standing.sequence & 1:
            assert step is not None, _UNTOLD
            assert heritage.who is not None, "only a contact that exists is a member"
            left = standings[label.name] = Standing(standing.sequence + 1, step.at_ms)
            step.emitted.append(transition(heritage.who, label, left.sequence, step, {}, None))
    if contact.exists:
        contact.retired = {name: standing for name, standing in standings.items() if name not in names}
