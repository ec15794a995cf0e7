"""What linked contacts send to others crosses partitions once, whatever happens in between."""

from __future__ import annotations

import random

import pytest

from schemas.instants import format_instant, parse_instant
from schemas.records import Forward, decode_record
from schemas.topics import partition_of
from streams.adapters.memory_generations import MemoryHistory
from streams.pipeline import forwarder
from tests.audit.folded import Folded
from tests.audit.log import PartitionLog
from tests.engine.faults import FaultyStore
from tests.engine.linked import CONTACTS, DEFINITIONS, DEVICES, PARTITIONS, Linked, drawn, simulated, told
from tests.engine.stories import MINUTE, START, definitions_value, story
from tests.engine.world import StoreOpener, world_in_memory


async def _run(linked: Linked, seed: int, count: int) -> None:
    for body in drawn(seed, count):
        await linked.take(body, parse_instant(body["received_at"]))
    await linked.end()


@pytest.mark.parametrize("seed", range(3))
@story
async def test_linked_contacts_make_the_transitions_that_the_simulator_has(worlds: StoreOpener, seed: int) -> None:
    async with worlds() as world:
        linked = Linked(world)
        await _run(linked, seed, 80)
        expected = simulated(drawn(seed, 80))
        assert {one.cause.kind for one in expected} >= {"event", "merge", "timer", "traits"}
        assert told(linked.transitions()) == told(expected)


@pytest.mark.parametrize("seed", range(3, 6))
@story
async def test_lost_requests_and_replies_and_new_owners_change_no_transition(worlds: StoreOpener, seed: int) -> None:
    async with worlds() as world:
        chance = random.Random(seed)
        world.store = FaultyStore(world.store, chance, rate=0.15)
        linked = Linked(world)
        for body in drawn(seed, 80):
            if chance.random() < 0.2:
                await linked.drop(chance.randrange(PARTITIONS))
            await linked.take(body, parse_instant(body["received_at"]))
        await linked.end()
        assert linked.met > 10
        assert told(linked.transitions()) == told(simulated(drawn(seed, 80)))


@story
async def test_a_state_that_is_folded_again_from_the_start_sends_again_what_nobody_takes_twice() -> None:
    async with world_in_memory() as world:
        linked = Linked(world)
        bodies = drawn(7, 150)
        for place, body in enumerate(bodies):
            if place in {50, 100, 149}:
                source = place % PARTITIONS
                await linked.drop(source)
                del world.store.partitions[source]  # type: ignore[attr-defined]  # the memory of the world in memory
            await linked.take(body, parse_instant(body["received_at"]))
        await linked.end()
        records = [decode_record(record.value) for log in linked.logs.values() for record in log]
        forwards = [one for one in records if isinstance(one, Forward)]
        origins = [one.origin for one in forwards]
        assert len(set(origins)) < len(origins), "some came twice"
        assert told(linked.transitions()) == told(simulated(bodies))


@story
async def test_each_partition_is_a_function_of_its_own_log_through_links_and_changes(worlds: StoreOpener) -> None:
    async with worlds() as world:
        linked = Linked(world)
        bodies = drawn(11, 110)
        for place, body in enumerate(bodies):
            if place == 80:
                changed = {**DEFINITIONS, "segments": {"ever": {"when": {"performed": {"event": "x", "at_least": 4}}}}}
                for partition in range(PARTITIONS):
                    at_ms = parse_instant(body["received_at"])
                    linked.append(partition, None, definitions_value(changed, number=2), at_ms)
            await linked.take(body, parse_instant(body["received_at"]))
        await linked.end()
        for partition, log in linked.logs.items():
            folded = Folded(PartitionLog(partition, PARTITIONS, log))
            found = world.contents()[str(partition)]
            assert found["contacts"] == folded.contents()["contacts"]
        counted = {one.contact_id for one in linked.transitions() if one.segment == "ever"}
        assert counted & set(CONTACTS), "somebody has four, its devices' included"


@story
async def test_a_history_that_does_not_fit_one_record_comes_in_several_and_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forwarder, "FORWARD_BYTES_MAX", 1_000)
    async with world_in_memory() as world:
        linked = Linked(world)
        device, contact = DEVICES[0], CONTACTS[0]
        for number in range(20):
            body = _event(f"e{number}", device, START + number)
            await linked.take(body, START + number)
        link = {
            "type": "link",
            "event_id": "l",
            "contact_id": device,
            "to": contact,
            "occurred_at": format_instant(START),
        }
        await linked.take(link, START + 100)
        target = partition_of(contact, PARTITIONS)
        forwards = [record for record in linked.logs[target] if b'"forward"' in (record.value or b"")]
        assert len(forwards) > 2
        for cut in (300, 5_000, 700):
            monkeypatch.setattr(forwarder, "FORWARD_BYTES_MAX", cut)
            source = partition_of(device, PARTITIONS)
            await linked.drop(source)
            del world.store.partitions[source]  # type: ignore[attr-defined]  # the memory of the world in memory
            await linked.settle()
        await linked.end()
        state = world.contents()[str(target)]["contacts"]
        assert len(state) == 1
        entered = [one for one in linked.transitions() if one.contact_id == contact and one.segment == "thrice"]
        assert [one.cause.kind for one in entered] == ["merge"]
        assert state == Folded(PartitionLog(target, PARTITIONS, linked.logs[target])).contents()["contacts"]


@story
async def test_what_the_log_has_lost_is_counted_and_the_rest_moves() -> None:
    async with world_in_memory() as world:
        linked = Linked(world)
        device, contact = DEVICES[1], CONTACTS[1]
        for number in range(5):
            await linked.take(_event(f"e{number}", device, START), START)
        source = partition_of(device, PARTITIONS)
        gone = [record for record in linked.logs[source] if record.offset in {1, 2}]
        world.history = MemoryHistory(
            {number: [each for each in log if each not in gone] for number, log in linked.logs.items()}
        )
        await linked.drop(source)
        link = {
            "type": "link",
            "event_id": "l",
            "contact_id": device,
            "to": contact,
            "occurred_at": format_instant(START),
        }
        await linked.take(link, START + MINUTE)
        await linked.end()
        assert world.count("segue_forward_records_lost_total") == 2
        assert [one.segment for one in linked.transitions() if one.contact_id == contact] == [
            "thrice",
            "twice_lately",
            "hot",
        ]


def _event(event_id: str, contact_id: str, at_ms: int) -> dict[str, str]:
    at = format_instant(at_ms)
    return {"type": "track", "event": "x", "event_id": event_id, "contact_id": contact_id, "occurred_at": at}


def _link(device: str, contact: str) -> dict[str, str]:
    return {
        "type": "link", "event_id": "l", "contact_id": device, "to": contact, "occurred_at": format_instant(START)
    }  # fmt: skip
