"""Where a contact keeps what its units have seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Slots(dict[int, Any]):
    """What each unit keeps of a contact's past. Units that have seen nothing of it yet take no room."""

    __slots__ = ("_fresh",)

    def __init__(self, fresh: Sequence[Callable[[], Any]]) -> None:
        """`fresh` makes, by unit, the slot of a contact of whom nothing is known."""
        super().__init__()
        self._fresh = fresh

    def __missing__(self, index: int) -> Any:
        return self._fresh[index]()
