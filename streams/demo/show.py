"""What a screen shows, and the words that all screens use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from schemas.instants import format_instant
from schemas.transitions import Transition
from streams.demo.moves import Moved
from streams.demo.scrape import Metrics
from streams.demo.tally import Tally
from streams.demo.traffic import Traffic
from streams.demo.why import Phrases


@dataclass(slots=True)
class Show:
    """Everything there is to see of a running demo; the parts change while it runs."""

    tally: Tally
    traffic: Traffic
    phrases: Phrases
    visitors: int
    seconds: int | None
    """How long it runs; None until Ctrl-C."""
    tiers: tuple[str, ...]
    """The segments that stand for a score's tiers, lowest first."""
    storefront: str = ""
    """The address at which a person may join in with a browser."""
    shell: str = ""
    """What another terminal reads to work on the demo."""
    elapsed_s: float = 0.0
    closing: bool = False
    """Nobody is let in any more, and what is under way is waited for."""
    worker: Metrics = field(default_factory=Metrics)
    consumer: Metrics = field(default_factory=Metrics)

    @property
    def lag(self) -> int:
        """Records that the worker has not folded yet."""
        return self.worker.total("segue_lag_records")


class Screen(Protocol):
    """Where the demo is seen."""

    def say(self, text: str) -> None:
        """One line on what the demo does now."""

    def open(self, show: Show) -> None:
        """The shop opens."""

    def refresh(self, show: Show) -> None:
        """Called four times a second."""

    def close(self) -> None:
        """The shop has closed; only `say` is called after it. Does nothing the second time."""


def clock(elapsed_s: float) -> str:
    """`01:05`."""
    minutes, seconds = divmod(int(elapsed_s), 60)
    return f"{minutes:02}:{seconds:02}"


def time_of_day(instant_ms: int) -> str:
    """`10:00:00.123`, in UTC like everything that Segue writes."""
    return format_instant(instant_ms)[11:23]


def milliseconds(value: int | None) -> str:
    """`14 ms`, or a dash."""
    return "-" if value is None else f"{value:,} ms"


def is_entry(transition: Transition) -> bool:
    """Whether the contact is in the segment now."""
    return transition.type == "segment.entered"


def moved_words(moved: Moved, phrases: Phrases) -> str:
    """One line about one transition."""
    transition = moved.transition
    did = "entered" if is_entry(transition) else "left"
    by = "time" if transition.cause.kind == "timer" else transition.cause.kind
    return (
        f"{time_of_day(transition.effective_at)} {transition.contact_id} {did} {transition.segment} "
        f"by {by}: {phrases.why(transition)} (seen after {milliseconds(moved.latency_ms)})"
    )
