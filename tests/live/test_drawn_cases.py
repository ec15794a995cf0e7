"""Random definitions over random records, live on a real Kafka and Redis, against the simulator."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from tests.conftest import Kafka
from tests.live.drawn import Placed, drawn_cases, placed, write
from tests.live.workers import Place, comparable, past_the_gate
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.fuzzing import SEED
from tests.oracle.writer import Taste
from tests.support.processes import Commands

ALONE = 100
"""Cases with one partition each."""
SPREAD = 10
"""Cases whose contacts lie in two partitions."""
PARTITIONS = ALONE + 2 * SPREAD
EVERYTHING = Taste(tuple(LEAF_WRITERS), max_segments=4, rich=True)
SMALL_STEPS = {"SEGUE_BATCH_RECORDS_MAX": "5", "SEGUE_TIMERS_PER_COMMIT_MAX": "3", "SEGUE_TICKS": "off"}
"""So that batches and commits end amid the cases."""


def _placed_cases() -> list[Placed]:
    alone = [(number,) for number in range(ALONE)]
    spread = [(number, number + 1) for number in range(ALONE, PARTITIONS, 2)]
    drawn = drawn_cases(EVERYTHING, ALONE + SPREAD, SEED)
    # The longest are spread: they have the most contacts.
    return [placed(case, homes, PARTITIONS) for case, homes in zip(drawn, [*spread, *alone], strict=True)]


def _differing(cases: list[Placed], published: dict[int, list[str]]) -> list[str]:
    told = []
    for each in cases:
        expected = comparable([json.loads(line) for line in each.simulated()])
        found = sorted(line for partition in each.partitions for line in published[partition])
        if found != expected:
            missing, unexpected = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
            lines = "\n".join(json.dumps(body) for body in each.case.bodies)
            told.append(
                f"partitions {each.partitions}, to {each.end_ms}:\n{json.dumps(each.case.file)}\n{lines}\n"
                f"missing: {missing}\nunexpected: {unexpected}"
            )
    return told


def test_random_cases_give_live_what_the_simulator_gives(
    commands: Commands, kafka: Kafka, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    cases = _placed_cases()
    place = Place(commands, kafka.bootstrap_servers, redis_url, namespace, tmp_path, PARTITIONS)
    place.command("topics", "create", "--partitions", str(PARTITIONS), "--timestamps", "create")
    records = write(cases, kafka.bootstrap_servers, place.names.tracking, PARTITIONS)
    assert records > 1_000
    worker = place.worker(**SMALL_STEPS)
    place.wait_until_folded(timeout_s=120)
    assert place.dead_letters() == []
    published: dict[int, list[str]] = defaultdict(list)
    for partition, messages in past_the_gate(place.output()).items():
        published[partition] = comparable([json.loads(message.value) for message in messages])
    differing = _differing(cases, published)
    shown = "\n\n".join(differing[:3])
    assert not differing, f"SEGUE_FUZZ_SEED={SEED}: {len(differing)} of {len(cases)} cases differ\n\n{shown}"
    assert sum(len(lines) for lines in published.values()) > 200
    assert worker.terminate() == 0
