"""The auditor finds what is wrong, and nothing where all is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.topics import HEADER_SEQ
from streams.ports import Message, RawRecord
from tests.audit import PartitionLog, audit_partition, dead_letters_expected
from tests.engine.stories import busy_log, changing_log, cut, story
from tests.engine.world import World, world_in_memory

Output = list[Message]


async def _worked_off(records: Sequence[RawRecord]) -> tuple[World, PartitionLog]:
    async with world_in_memory() as world:
        await world.fold(cut(records, seed=1, most=30))
        return world, PartitionLog(0, 1, records)


@pytest.mark.parametrize("seed", range(5))
@story
async def test_a_pipeline_that_nothing_disturbs_leaves_nothing_to_find(seed: int) -> None:
    world, log = await _worked_off(busy_log(seed, records=400))
    assert len(world.published()) > 50
    assert audit_partition(log, world.published(), world.contents()["0"]) == []


@pytest.mark.parametrize("seed", range(5))
@story
async def test_definitions_that_change_leave_nothing_to_find(seed: int) -> None:
    world, log = await _worked_off(changing_log(seed, records=400))
    assert sum(b'"definition"' in (message.value or b"") for message in world.published()) > 10
    assert audit_partition(log, world.published(), world.contents()["0"]) == []


@story
async def test_a_difference_that_a_change_did_not_tell_is_missed() -> None:
    world, log = await _worked_off(changing_log(1, records=400))
    output = world.published()
    place = next(place for place, message in enumerate(output) if b'"kind":"definition"' in (message.value or b""))
    later = [_restamped(message, seq) for seq, message in enumerate(output[place + 1 :], start=place + 1)]
    problems = audit_partition(log, [*output[:place], *later], None)
    assert f"seq {place + 1}" in problems[0]


@story
async def test_the_records_that_are_dead_letters_are_known() -> None:
    world, log = await _worked_off(busy_log(3, records=400))
    origins = [int(dict(letter.headers)["segue_dlq.original_offset"]) for letter in world.dead_letters()]
    assert len(origins) > 10
    assert dead_letters_expected(log) == origins


def _restamped(message: Message, seq: int) -> Message:
    return replace(message, headers=tuple((n, b"%d" % seq if n == HEADER_SEQ else v) for n, v in message.headers))


def _swapped(output: Output) -> Output:
    first, second = output[7], output[8]
    return [
        *output[:7],
        replace(first, value=second.value),
        replace(second, value=first.value),
        *output[9:],
    ]


def _doubled_unseen(output: Output) -> Output:
    later = [_restamped(message, place) for place, message in enumerate(output[8:], start=10)]
    return [*output[:8], _restamped(output[7], 9), *later]


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda output: [*output[:10], *output[11:]], "lost"),
        (lambda output: output[:-1], "lost"),
        (_doubled_unseen, "seq 9"),
        (_swapped, "seq 8"),
        (lambda output: [*output, _restamped(output[-1], len(output) + 1)], "doubled"),
        (
            lambda output: [*output, replace(output[1], headers=_restamped(output[0], 2).headers)],
            "two transitions",
        ),
    ],
    ids=["one missing", "the last missing", "one twice", "two swapped", "one more", "one seq for two"],
)
@story
async def test_output_that_is_wrong_is_told(harm: Callable[[Output], Output], word: str) -> None:
    world, log = await _worked_off(busy_log(1, records=300))
    problems = audit_partition(log, harm(world.published()), None)
    assert problems
    assert word in problems[0]


@story
async def test_what_a_gate_drops_is_no_harm() -> None:
    world, log = await _worked_off(busy_log(1, records=300))
    output = world.published()
    assert audit_partition(log, [*output[:20], *output[5:20], *output[20:]], None) == []


def _without_a_timer(contents: dict[str, Any]) -> None:
    contents["timers"] = list(contents["timers"])[1:]


def _with_a_member_too_many(contents: dict[str, Any]) -> None:
    contents["sizes"] = {"active": 99}


def _behind(contents: dict[str, Any]) -> None:
    cursor, *rest = contents["at"]
    contents["at"] = ((cursor[0] - 1, 0), *rest)


def _under_other_versions(contents: dict[str, Any]) -> None:
    text, versions = contents["definitions"]
    contents["definitions"] = (text, versions[:-1])


def _with_another_contacts_state(contents: dict[str, Any]) -> None:
    one, other = sorted(contents["contacts"])[:2]
    contents["contacts"] = contents["contacts"] | {one: contents["contacts"][other]}


@pytest.mark.parametrize(
    "harm",
    [_without_a_timer, _with_a_member_too_many, _behind, _under_other_versions, _with_another_contacts_state],
)
@pytest.mark.parametrize("writing", [busy_log, changing_log])
@story
async def test_a_state_that_is_wrong_is_told(
    writing: Callable[[int, int], list[RawRecord]], harm: Callable[[dict[str, Any]], None]
) -> None:
    world, log = await _worked_off(writing(2, 300))
    contents = dict(world.contents()["0"])
    harm(contents)
    assert audit_partition(log, world.published(), contents)
