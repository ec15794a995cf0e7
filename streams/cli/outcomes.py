"""How the senders tell what they sent, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from schemas.instants import format_instant
from streams.segmentation.wording import printable
from streams.sending.outcomes import LOOKED_AT_MAX, Outcome
from streams.sending.sending import Sent

TRANSITIONS_SHOWN_MAX = 20
_VERBS = {"segment.entered": "entered", "segment.exited": "left"}
_RESULTS = {
    "applied": "it was taken, and changed no membership",
    "duplicate": "it was dropped: the contact had a record with this event_id already",
    "erased": "it was dropped: the contact was erased, with all that occurred up to that time",
    "pending": "no worker has taken it yet",
}


def report_sent(sent: Sequence[Sent]) -> None:
    """Where the records lie, for a person."""
    if len(sent) == 1:
        (one,) = sent
        click.echo(
            f"sent: event_id {printable(one.record.event_id)}, position {one.position or 'not told by the broker'}"
        )
        return
    counts = Counter(one.partition for one in sent)
    places = ", ".join(f"{count:,} to partition {partition}" for partition, count in sorted(counts.items()))
    click.echo(f"sent: {len(sent):,} records, {places}")


def report_outcomes(outcomes: Sequence[Outcome]) -> None:
    """What came of the records, for a person."""
    transitions = [transition for outcome in outcomes for transition in outcome.transitions]
    for transition in transitions[:TRANSITIONS_SHOWN_MAX]:
        click.echo(_line(transition))
    if len(transitions) > TRANSITIONS_SHOWN_MAX:
        click.echo(f"and {len(transitions) - TRANSITIONS_SHOWN_MAX:,} more transitions: --json shows all")
    without = [outcome for outcome in outcomes if not outcome.transitions]
    if len(outcomes) == 1:
        if without:
            click.echo(_RESULTS[without[0].result])
        return
    for result, count in sorted(Counter(outcome.result for outcome in without).items()):
        click.echo(f"{count:,} of {len(outcomes):,} records: {_RESULTS[result]}")
    if without and len(outcomes) > LOOKED_AT_MAX:
        click.echo(f"(of more than {LOOKED_AT_MAX:,} records it is not looked up which were dropped)")


def _line(transition: dict[str, Any]) -> str:
    until = transition["valid_until"]
    rest = f", until {until} if nothing else comes" if until else ""
    verb = _VERBS[transition["type"]]
    return (
        f"{printable(transition['contact_id'])} {verb} {transition['segment']} at {transition['effective_at']} "
        f"(sequence {transition['sequence']}{rest})"
    )


def sent_json(sent: Sent, outcome: Outcome | None) -> str:
    """One record as data; `outcome` is None where nobody waited for it."""
    body: dict[str, Any] = {
        "type": sent.record.type,
        "contact_id": sent.record.contact_id,
        "event_id": sent.record.event_id,
        "occurred_at": format_instant(sent.record.occurred_at),
        "position": sent.position,
    }
    if outcome is not None:
        body |= {"outcome": outcome.result, "transitions": outcome.transitions}
    return msgspec.json.encode(body).decode()
