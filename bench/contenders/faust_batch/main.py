"""Faust as its users make it fast: batches of a thousand, one MGET and one MSET for each."""

from __future__ import annotations

import faust
import msgspec
from redis.asyncio import Redis

from bench.contenders.terms import terms
from bench.work.rules import State, apply, decode, encode, fresh, milliseconds, transitions

TERMS = terms()
BATCH = 1_000
WITHIN_S = 0.1
LINGER_S = 0.01

app = faust.App(
    TERMS.group,
    broker=f"kafka://{TERMS.servers}",
    store="memory://",
    value_serializer="raw",
    consumer_auto_offset_reset="earliest",
    topic_disable_leader=True,
    producer_linger=LINGER_S,
    web_enabled=False,
)
events = app.topic(TERMS.source, value_type=bytes, value_serializer="raw")
target = app.topic(TERMS.target, value_type=bytes, value_serializer="raw")
redis = Redis.from_url(TERMS.redis_url)


async def load(contact_ids: list[str]) -> dict[str, State]:
    """The contacts of a batch."""
    stored = await redis.mget(contact_ids)
    return {
        contact_id: fresh() if raw is None else msgspec.msgpack.decode(raw)  # type: ignore[arg-type]  # bytes, as answers are not decoded
        for contact_id, raw in zip(contact_ids, stored, strict=True)
    }


@app.agent(events)  # type: ignore[untyped-decorator]  # Faust ships no types
async def fold(stream: faust.Stream[bytes]) -> None:
    """Every batch loads its contacts at once, and stores them at once."""
    async for values in stream.take(BATCH, within=WITHIN_S):
        batch = list(map(decode, values))
        states = await load(list({event.contact_id for event in batch}))
        found = []
        for event in batch:
            moves = apply(states[event.contact_id], event.event, milliseconds(event.occurred_at))
            if moves:
                found += transitions(event.contact_id, moves)
        await redis.mset({contact_id: msgspec.msgpack.encode(state) for contact_id, state in states.items()})
        for transition in found:
            await target.send(key=transition.contact_id, value=encode(transition))


if __name__ == "__main__":
    app.main()
