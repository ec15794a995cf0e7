"""A person sees on the dashboard that a contact had more events in a window than are kept one by one."""

from __future__ import annotations

from typing import Any

from streams.ports import Fence
from streams.segmentation import Core, compile_definitions, contact_key
from tests.engine.stories import SECOND, LogWriter, cut, definitions_value, story
from tests.engine.world import world_in_memory

SPENT: dict[str, Any] = {
    "aggregate": {"event": "purchase", "property": "amount", "function": "sum", "gte": 1, "within": "1d"}
}
DEFINITIONS = {"version": 1, "segments": {"spent": {"when": SPENT}}}


@story
async def test_merged_entries_are_counted_once_each_across_batches_and_owners() -> None:
    writer = LogWriter(definitions=definitions_value(DEFINITIONS))
    for _ in range(2_001):
        writer.track("purchase", "ann", SECOND, properties={"amount": 1})
    async with world_in_memory() as world:
        await world.fold(cut(writer.records[:1_001], 1, 200))
        assert world.count("segue_window_entries_merged_total") == 0
        await world.fold(cut(writer.records[1_001:], 2, 200), Fence(2, "member-2"))
        stored = world.contents()["0"]["contacts"][contact_key("ann")]
        contact = Core(compile_definitions(DEFINITIONS)).decode(contact_key("ann"), stored)
        entries, _ = contact.slots[0]
        assert 500 < len(entries) <= 1_000
        assert world.count("segue_window_entries_merged_total") == 2_001 - len(entries)
