"""An open loop: what is sent when is settled before anything is sent, however the other side does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_NS = 1_000_000_000


@dataclass
class Schedule:
    """`total` sends, `per_second` of them a second from `begun_ns` on.

    A sender that is held up finds all that came due meanwhile, each with the instant at which it was due: waiting
    counts as latency, since whoever sends in earnest does not wait for the others' answers either.
    """

    begun_ns: int
    per_second: float
    total: int
    given: int = 0

    def due_ns(self, number: int) -> int:
        """When a send is due."""
        return self.begun_ns + int(number * _NS / self.per_second)

    def ready(self, now_ns: int) -> Iterator[tuple[int, int]]:
        """Sends that came due and were not given yet: number and instant."""
        while self.given < self.total and (due := self.due_ns(self.given)) <= now_ns:
            self.given += 1
            yield self.given - 1, due

    def wait_s(self, now_ns: int) -> float | None:
        """Seconds until the next send is due; None when there is none left."""
        if self.given == self.total:
            return None
        return max(0, self.due_ns(self.given) - now_ns) / _NS
