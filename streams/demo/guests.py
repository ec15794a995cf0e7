"""Whoever opens the shop's page in a browser: what Segue says of them, apart from the visitors that are made up."""

from __future__ import annotations

import re
from collections import deque

from streams.demo.moves import Moved

GUEST = "you"
"""What the page calls the person before it."""
MOVES_MAX = 50
_GUESTS = re.compile(rf"{GUEST}|anon:[0-9a-f]{{32}}")


def is_guest(contact_id: str) -> bool:
    """Whether a contact came by a browser: as `you`, or under the random id that the browser script gives."""
    return _GUESTS.fullmatch(contact_id) is not None


class Guests:
    """Where the person before the page stands, and how it came to that."""

    def __init__(self) -> None:
        self.records = 0
        """Records in the log that came by a browser."""
        self.segments: list[str] = []
        """That the person is in, by when they entered."""
        self.moves: deque[Moved] = deque(maxlen=MOVES_MAX)
        """The last ones, oldest first."""
        self.moved = 0
        """How many there were."""

    def move(self, moved: Moved) -> None:
        """Take in a transition; others' are passed over."""
        transition = moved.transition
        if transition.contact_id != GUEST:
            return
        self.moves.append(moved)
        self.moved += 1
        if transition.type == "segment.entered":
            self.segments.append(transition.segment)
        elif transition.segment in self.segments:
            self.segments.remove(transition.segment)
