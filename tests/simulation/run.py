"""One run of the simulation, from its seed to the audit."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from dataclasses import dataclass

from schemas.forwards import Sending
from schemas.topics import DEAD_LETTER_OFFSET, HEADER_TRANSITION_ID, partition_of
from tests.audit import PartitionLog, audit_partition, dead_letters_expected
from tests.audit.auditor import past_the_gate
from tests.audit.crossing import audit_crossing
from tests.engine.world import memory_contents
from tests.simulation.cast import Cast
from tests.simulation.consumer import misheard
from tests.simulation.faults import befall, take_snapshots
from tests.simulation.virtual_loop import VirtualLoop

RECOVERY_S = 60.0
"""Within so long after the last fault all must be as if there had been none; what bounds it is a restart, a rebalance
and the longest time-outs, one after the other."""
_FORWARD_MS = 3 * 3_600_000
_LOOK_S = 0.5
_CHANGES = (0, 0, 1, 2, 4)


@dataclass(frozen=True)
class Plan:
    """How large a run is."""

    partitions: int = 2
    contacts: int = 10
    workers: int = 2
    records: int = 110
    faults: int = 12
    changes: int | None = None
    """How often definitions change; None: as the seed draws."""
    first_worker_dies_at_step: int | None = None


@dataclass
class Outcome:
    """What a run came to."""

    seed: int
    problems: list[str]
    faults: Counter[str]
    met: Counter[str]
    transitions: int
    recovered_s: float
    trace: list[str]
    digest: str
    first_worker_steps: int
    """How often the first worker ran on from an await."""


def run(seed: int, plan: Plan | None = None) -> Outcome:
    """Run a seed to its end. Never raises for what the run does; what is wrong is in `problems`."""
    plan = plan or Plan()
    loop = VirtualLoop()
    return loop.run(_run(loop, seed, plan))


async def _run(loop: VirtualLoop, seed: int, plan: Plan) -> Outcome:
    chance = random.Random(f"{seed}/plan")
    drawn = random.Random(f"{seed}/how many changes").choice(_CHANGES)
    changes = drawn if plan.changes is None else plan.changes
    cast = Cast(loop, str(seed), plan.partitions, plan.contacts, changes)
    cast.load.open_log()
    first = cast.start_worker()
    first.process.dies_at_step = plan.first_worker_dies_at_step
    for _ in range(1, plan.workers):
        cast.start_worker()
    loading = asyncio.create_task(cast.load.run(plan.records))
    remembering = asyncio.create_task(take_snapshots(cast))
    begun = await befall(cast, chance, plan.faults)
    await asyncio.wait([loading, *begun])
    for task in (loading, *begun):
        task.result()
    remembering.cancel()
    cast.heal()
    healed_at = loop.time()
    settled = await _settle(cast, healed_at)
    if settled:
        cast.broker.ahead_ms += _FORWARD_MS
        await cast.load.tick()
        settled = await _settle(cast, loop.time())
    problems = cast.problems + cast.redis.problems + cast.broker.problems + loop.unexpected + cast.load.missing()
    if not settled:
        problems.append(f"not recovered within {RECOVERY_S:.0f} s: {_standing(cast)}")
    problems += _audit(cast, settled)
    return _outcome(seed, cast, problems, loop.time() - healed_at, first.process.steps)


async def _settle(cast: Cast, since: float) -> bool:
    """Wait until the whole log is folded and all of its output was heard."""
    while cast.loop.time() - since < RECOVERY_S:
        if _is_settled(cast):
            return True
        await asyncio.sleep(_LOOK_S)
    return False


def _is_settled(cast: Cast) -> bool:
    heard = Counter({(one.partition, one.seq): 1 for one in cast.heard})
    for partition in range(cast.broker.partitions):
        stored = cast.redis.state.partitions.get(partition)
        end = cast.broker.log(cast.names.tracking, partition).bounds.end
        if stored is None or stored.meta.cursor.offset != end or stored.outbox:
            return False
        if any(not _has_arrived(cast, partition, sending) for sending in stored.meta.sendings):
            return False
        if stored.timers and stored.timers[0][0] <= cast.broker.now_ms():
            return False
        if stored.meta.seq and not heard[partition, stored.meta.seq]:
            return False
        if sum(1 for place in heard if place[0] == partition) < stored.meta.seq:
            return False
    return True


def _has_arrived(cast: Cast, partition: int, sending: Sending) -> bool:
    """Whether what a contact sends lies in the log of whom it is sent to. What is stored may long have arrived."""
    target = partition_of(sending.to, cast.broker.partitions)
    origin = b'"origin":{"partition":%d,"offset":%d,"first":%d}' % (partition, sending.offset, sending.first)
    return any(origin in (one.value or b"") for one in cast.broker.log(cast.names.tracking, target).records())


def _standing(cast: Cast) -> str:
    parts = []
    for partition in range(cast.broker.partitions):
        stored = cast.redis.state.partitions.get(partition)
        end = cast.broker.log(cast.names.tracking, partition).bounds.end
        at = "nothing" if stored is None else f"{stored.meta.cursor} seq {stored.meta.seq} outbox {len(stored.outbox)}"
        last = max((one.seq for one in cast.heard if one.partition == partition), default=0)
        parts.append(f"partition {partition}: {at} of {end}, heard up to {last}")
    owners = [f"{w.process.name} gen {w.generation} {sorted(w.source.assigned)}" for w in cast.running() if w.member]
    return "; ".join([*parts, *owners])


def _audit(cast: Cast, settled: bool) -> list[str]:
    contents = memory_contents(cast.redis.state)
    problems: list[str] = []
    expected: dict[int, list[tuple[str, str]]] = {}
    partitions = cast.broker.partitions
    logs = [
        PartitionLog(number, partitions, cast.broker.log(cast.names.tracking, number).records())
        for number in range(partitions)
    ]
    if settled:
        problems += audit_crossing(logs)
    for partition, log in enumerate(logs):
        output = cast.broker.log(cast.names.transitions, partition).messages
        problems += audit_partition(log, output, contents.get(str(partition)) if settled else None)
        passed, _ = past_the_gate(output)
        expected[partition] = [
            (dict(message.headers)[HEADER_TRANSITION_ID].decode(), (message.key or b"").decode()) for message in passed
        ]
        letters = cast.broker.log(cast.names.dead_letter, partition).messages
        origins = {int(dict(letter.headers)[DEAD_LETTER_OFFSET]) for letter in letters}
        wanted = set(dead_letters_expected(log))
        if origins != wanted:
            problems.append(f"partition {partition}: dead letters {sorted(origins)}, expected {sorted(wanted)}")
    return problems + (misheard(cast.heard, expected) if settled else [])


def _outcome(seed: int, cast: Cast, problems: list[str], recovered_s: float, steps: int) -> Outcome:
    met = cast.redis.network.met + cast.broker.network.met + cast.ends
    transitions = sum(
        len(cast.broker.log(cast.names.transitions, partition).messages) for partition in range(cast.broker.partitions)
    )
    text = "\n".join([*cast.trace, *map(repr, cast.heard), repr(sorted(met.items()))])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Outcome(seed, problems, cast.faults, met, transitions, recovered_s, cast.trace, digest, steps)
