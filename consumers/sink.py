"""What the engine asks of a sink."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from consumers.arrivals import Arrival

Outcome: TypeAlias = Literal["delivered", "dead_lettered", "unreadable"]


@dataclass(slots=True)
class Delivery:
    """A transition to be handed on, and what was tried so far."""

    arrival: Arrival
    failures: int = 0
    deliveries_before: int | None = None
    """What the sink had delivered altogether when this one failed first."""


class Sink(Protocol):
    """Where transitions go. Those of one lane are handed on one after the other, in order."""

    concurrency: int
    """Attempts that may be under way at once."""

    def lane(self, arrival: Arrival) -> str:
        """The name of the lane that a transition must keep to."""

    def admission(self) -> AbstractAsyncContextManager[None]:
        """Entered before each attempt, left after it; entering waits while the sink wants no attempts."""

    async def attempt(self, delivery: Delivery) -> Outcome | None:
        """Hand it on; None when it is to be tried again.

        Raises `SegueError` when the consumer must stop. Cancelling it is the last resort of a shutdown.
        """
