"""The sequence gate: nothing passes twice, nothing passes out of order, and nothing that is missing goes unnoticed.

Transitions of one partition are numbered 1, 2, 3… within an epoch. An operator raises the epoch when a partition's
log was replaced; the numbers then start again at 1, and whatever still comes of an older epoch has been superseded.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Passage(Enum):
    """What the gate says of a transition."""

    NEXT = "next"
    """The one that was due: let it pass."""
    SEEN = "seen"
    """Seen before, or of an older epoch: drop it."""
    GAP = "gap"
    """Something before it is missing: stop."""


class Gate(NamedTuple):
    """The last transition that passed. `Gate(0, 0)` has seen nothing."""

    epoch: int
    seq: int
    accept_gap: bool = False
    """Let the next transition that was not seen pass, whatever is missing before it; once."""

    def expects(self, epoch: int) -> int:
        """The number that must come next in `epoch`, which is the gate's own or a higher one."""
        return self.seq + 1 if epoch == self.epoch else 1

    def judge(self, epoch: int, seq: int) -> tuple[Gate, Passage]:
        """What becomes of transition `seq` of `epoch`, and the gate after it."""
        if (epoch, seq) <= (self.epoch, self.seq):
            return self, Passage.SEEN
        if seq == self.expects(epoch) or self.accept_gap:
            return Gate(epoch, seq), Passage.NEXT
        return self, Passage.GAP
