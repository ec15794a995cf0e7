"""Ordinary Faust: an agent that takes one event at a time, with one GET and one SET for it."""

from __future__ import annotations

import faust
import msgspec
from redis.asyncio import Redis

from bench.contenders.terms import terms
from bench.work.rules import apply, decode, encode, fresh, milliseconds, transitions

TERMS = terms()
app = faust.App(
    TERMS.group,
    broker=f"kafka://{TERMS.servers}",
    store="memory://",
    value_serializer="raw",
    consumer_auto_offset_reset="earliest",
    topic_disable_leader=True,
    web_enabled=False,
)
events = app.topic(TERMS.source, value_type=bytes, value_serializer="raw")
target = app.topic(TERMS.target, value_type=bytes, value_serializer="raw")
redis = Redis.from_url(TERMS.redis_url)


@app.agent(events)  # type: ignore[untyped-decorator]  # Faust ships no types
async def fold(stream: faust.Stream[bytes]) -> None:
    """Every event loads its contact, and stores it again."""
    async for value in stream:
        event = decode(value)
        stored = await redis.get(event.contact_id)
        state = fresh() if stored is None else msgspec.msgpack.decode(stored)  # type: ignore[arg-type]  # bytes, as answers are not decoded
        moves = apply(state, event.event, milliseconds(event.occurred_at))
        await redis.set(event.contact_id, msgspec.msgpack.encode(state))
        for transition in transitions(event.contact_id, moves):
            await target.send(key=event.contact_id, value=encode(transition))


if __name__ == "__main__":
    app.main()
