"""Pathway: its Kafka connector, a stateful reducer by contact, and the updates of its result as a stream."""

from __future__ import annotations

import msgspec
import pathway as pw

from bench.contenders.terms import terms
from bench.work.rules import apply, decode, encode, fresh, milliseconds, transitions

TERMS = terms()
SETTINGS = {"bootstrap.servers": TERMS.servers, "group.id": TERMS.group, "auto.offset.reset": "earliest"}


@pw.reducers.stateful_many  # type: ignore[untyped-decorator]  # nor is it installed where types are checked
def fold(
    state: tuple[bytes, tuple[bytes, ...]] | None, rows: list[tuple[list[bytes], int]]
) -> tuple[bytes, tuple[bytes, ...]]:
    """The events of one contact in a mini-batch, which come in no order; the contact, and what it caused now."""
    contact = fresh() if state is None else msgspec.msgpack.decode(state[0])
    events = [decode(value) for [value], _ in rows]
    if len(events) > 1:
        events.sort(key=lambda event: event.occurred_at)
    found: list[bytes] = []
    for event in events:
        moves = apply(contact, event.event, milliseconds(event.occurred_at))
        if moves:
            found += map(encode, transitions(event.contact_id, moves))
    return msgspec.msgpack.encode(contact), tuple(found)


def main() -> None:
    """Run until ended."""
    events = pw.io.kafka.read(SETTINGS, TERMS.source, format="raw")
    contacts = events.groupby(pw.this.key).reduce(pw.this.key, folded=fold(pw.this.data))
    updates = contacts.select(pw.this.key, transition=pw.this.folded[1]).to_stream()
    found = updates.filter(pw.this.is_upsert).flatten(pw.this.transition)
    pw.io.kafka.write(found, SETTINGS, TERMS.target, format="raw", key=found.key, value=found.transition)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


if __name__ == "__main__":
    main()
