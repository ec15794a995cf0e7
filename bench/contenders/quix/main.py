"""Quix Streams: a stateful function on its streaming data frame, state in RocksDB and a changelog topic."""

from __future__ import annotations

from quixstreams import Application, State

from bench.contenders.terms import terms
from bench.work.rules import Event, Transition, apply, decode, encode, fresh, milliseconds, transitions

TERMS = terms()


def fold(event: Event, state: State) -> list[Transition]:
    """One event of the contact that the message's key names."""
    stored = state.get("contact")
    contact = fresh() if stored is None else stored
    moves = apply(contact, event.event, milliseconds(event.occurred_at))
    state.set("contact", contact)
    return transitions(event.contact_id, moves)


def main() -> None:
    """Run until ended."""
    app = Application(
        broker_address=TERMS.servers,
        consumer_group=TERMS.group,
        auto_offset_reset="earliest",
        state_dir=TERMS.directory,
    )
    # Decoded by the function that the others use, which is the fastest there is; a transition's key is its event's.
    source = app.topic(TERMS.source, value_deserializer="bytes")
    target = app.topic(TERMS.target, value_serializer="bytes")
    frame = app.dataframe(source)
    frame = frame.apply(decode).apply(fold, stateful=True, expand=True).apply(encode)
    frame.to_topic(target)
    app.run()


if __name__ == "__main__":
    main()
