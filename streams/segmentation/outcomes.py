"""What became of a record that was given to the core."""

from __future__ import annotations

from typing import NamedTuple

from schemas.forwards import Sending


class Outcome(NamedTuple):
    """What became of a record.

    It was `applied`, a `duplicate`, `erased` (at or before an erasure), or `forwarded` (its contact is linked to
    another). What counts only for a contact that exists is `unknown` where there is none. A correction is that also
    where its event is not known, perhaps not yet; it may be `too_late`, or `uncorrectable` (its event cannot be
    corrected).
    """

    result: str
    late: bool = False
    future: bool = False
    sent: tuple[Sending, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the contact's state may be another one now, if there is such a contact."""
        return self.result in {"applied", "unknown"}


DUPLICATE = Outcome("duplicate")
DROPPED = Outcome("erased")
UNKNOWN = Outcome("unknown")
TOO_LATE = Outcome("too_late")
UNCORRECTABLE = Outcome("uncorrectable")
APPLIED = {(late, future): Outcome("applied", late, future) for late in (False, True) for future in (False, True)}
"""By whether the record came late, and whether from the future."""
