"""Rules by which events of one contact look like a machine's, seen together. Each is a function of notes alone.

All go by when events happened (`occurred_at`). When they were received says less: a provider tells of the clicks of an
hour in one call. Bounds are inclusive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from streams.detecting.notes import HONEYPOT, Note


class Thresholds(NamedTuple):
    """From where on something is suspected. A span of 0 ms: the rule is off."""

    burst_links: int
    burst_ms: int
    after_delivery_ms: int
    near_honeypot_ms: int

    @property
    def reach_ms(self) -> int:
        """Two events that lie further apart than this say nothing of each other."""
        return max(self.burst_ms, self.after_delivery_ms, self.near_honeypot_ms)


Rule: TypeAlias = Callable[[Sequence[Note], Thresholds], list[Note]]
"""Of some notes of a contact those that look like a machine's."""


def burst(notes: Sequence[Note], thresholds: Thresholds) -> list[Note]:
    """Clicks of one e-mail that lie, together, in a span in which enough different links of it were followed."""
    if not thresholds.burst_ms:
        return []
    mails: dict[tuple[str, bytes], list[Note]] = {}
    for note in notes:
        if note.link is not None and note.mail is not None:
            mails.setdefault(note.mail, []).append(note)
    return [note for clicks in mails.values() for note in _crowded(clicks, thresholds)]


def _crowded(clicks: list[Note], thresholds: Thresholds) -> list[Note]:
    clicks.sort(key=lambda click: click.at_ms)
    links: Counter[bytes | None] = Counter()
    first = marked = 0  # of the span that ends at a click; up to where clicks were found
    found: list[Note] = []
    for place, click in enumerate(clicks):
        links[click.link] += 1
        while click.at_ms - clicks[first].at_ms > thresholds.burst_ms:
            gone = clicks[first].link
            links[gone] -= 1
            if not links[gone]:
                del links[gone]
            first += 1
        if len(links) >= thresholds.burst_links:
            found += clicks[max(first, marked) : place + 1]
            marked = place + 1
    return found


def after_delivery(notes: Sequence[Note], thresholds: Thresholds) -> list[Note]:
    """Opens and clicks so near to the delivery of their e-mail that no person can have read it.

    A little before it as well: gateways look into an e-mail before they accept it.
    """
    return _near(notes, [note for note in notes if note.kind == "delivery"], thresholds.after_delivery_ms)


def near_honeypot(notes: Sequence[Note], thresholds: Thresholds) -> list[Note]:
    """What else was opened and clicked about when a link of the same e-mail was followed that no person sees."""
    traps = [note for note in notes if note.kind == "click" and HONEYPOT in note.reasons and not note.cleared]
    return [note for note in _near(notes, traps, thresholds.near_honeypot_ms) if HONEYPOT not in note.reasons]


def _near(notes: Sequence[Note], signs: Sequence[Note], span_ms: int) -> list[Note]:
    """Opens and clicks within `span_ms` of a sign of the same e-mail."""
    if not span_ms:
        return []
    return [
        note
        for note in notes
        if note.kind != "delivery"
        and any(abs(note.at_ms - sign.at_ms) <= span_ms and note.is_of_same_mail(sign) for sign in signs)
    ]


RULES: dict[str, Rule] = {"burst": burst, "after_delivery": after_delivery, "near_honeypot": near_honeypot}
"""The reason that is written -> the rule. A new one is one function and one line here."""
