"""The demo without a terminal: plain lines."""

from __future__ import annotations

from collections.abc import Callable

from streams.demo.guests import GUEST
from streams.demo.show import Show, clock, milliseconds, moved_words

STATUS_INTERVAL_S = 5.0


class PlainScreen:
    """A status every few seconds, each kind of move when it is seen for the first time, and all of a browser's."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """`write` is given one line at a time."""
        self._write = write
        self._told: set[tuple[str, str, str]] = set()
        self._told_guests = 0
        self._next_status_s = STATUS_INTERVAL_S

    def say(self, text: str) -> None:
        """One line on what the demo does now."""
        self._write(text)

    def open(self, show: Show) -> None:
        """The shop opens."""
        until = "Ctrl-C ends it" if show.seconds is None else f"for {show.seconds} s"
        self._write(f"the shop is open, {show.visitors} visitors at a time; {until}")
        self._write(f"join in with a browser: {show.storefront}")

    def refresh(self, show: Show) -> None:
        """Tell what is new."""
        for moved in show.tally.last:
            transition = moved.transition
            kind = (transition.segment, transition.type, transition.cause.kind)
            if kind not in self._told and transition.contact_id != GUEST:
                self._told.add(kind)
                self._write(f"  {moved_words(moved, show.phrases)}")
        guests = show.tally.guests
        new, self._told_guests = guests.moved - self._told_guests, guests.moved
        for moved in list(guests.moves)[-new:] if new else ():
            self._write(f"  {moved_words(moved, show.phrases)}")
        if show.elapsed_s >= self._next_status_s:
            self._next_status_s += STATUS_INTERVAL_S
            for line in status_lines(show):
                self._write(line)

    def close(self) -> None:
        """Nothing to put away."""


def status_lines(show: Show) -> list[str]:
    """Two lines: the flow, and the sizes of all segments."""
    tally = show.tally
    event, timer = tally.event_latency, tally.timer_latency
    webhooks = tally.webhooks
    flow = (
        f"{clock(show.elapsed_s)} {tally.events_per_second:.0f} events/s, lag {show.lag}, "
        f"{tally.transitions_per_second:.0f} transitions/s, "
        f"latency p50/p99 by event {milliseconds(event.percentile_ms(0.5))}/{milliseconds(event.percentile_ms(0.99))}, "
        f"by time {milliseconds(timer.percentile_ms(0.5))}/{milliseconds(timer.percentile_ms(0.99))}, "
        f"webhooks {webhooks.delivered:,} delivered, {len(webhooks.undelivered)} under way"
    )
    sizes = ", ".join(f"{name} {segment.members}" for name, segment in tally.segments.items())
    return [flow, f"      members: {sizes}"]
