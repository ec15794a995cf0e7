"""One run of one contender: started, watched to the end of its work, its result judged and its pace read."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.comparing.entrants import Entrant, start
from bench.comparing.pace import Places
from bench.comparing.sampling import Sampler
from bench.comparing.servers import Servers
from bench.contenders.roster import Contender
from bench.contenders.terms import Terms
from bench.report.results import Cost, Result
from bench.tables import progress
from bench.work.events import Work
from bench.work.expected import (
    DEFINITIONS,
    ROUNDING_MS,
    Change,
    Expected,
    Published,
    expected,
    judge,
    number_of,
    place_of,
)
from schemas.instants import parse_any_instant
from schemas.topics import Names
from tests.support.processes import Commands, base_environment

_SAMPLE_S = 0.5
_TELL_S = 5.0
PATIENCE_S = 60.0
"""A contender that publishes nothing for so long has ended its work or its life."""
_SETTLE_S = 1.0
"""What is published beyond the right result would come by then."""


@dataclass(frozen=True)
class Task:
    """A work, written to the topic that all but Segue read, with its right result."""

    work: Work
    topic: str
    right: Expected
    places: Places


class _Body(msgspec.Struct):
    contact_id: str
    segment: str
    type: str
    sequence: int
    effective_at: int | str


_decode = msgspec.json.Decoder(_Body).decode


def prepare(servers: Servers, namespace: str, work: Work) -> Task:
    """Write the events of a work, and work out its right result."""
    progress(f"{work.taken:,} events: the right result, by Segue's core in memory (kept for the next time)…")
    right, places = expected(work), Places(work)
    topic = f"{namespace}.events-{work.taken}"
    servers.create(topic, {"message.timestamp.type": "CreateTime"})
    progress(
        f"{work.taken:,} events, {len(right.changes):,} transitions; written in {servers.write(topic, work):.0f} s"
    )
    return Task(work, topic, right, places)


def prepare_segue(servers: Servers, namespace: str, work: Work) -> None:
    """The same events in the topic that Segue reads, after its definitions."""
    environment = base_environment(SEGUE_KAFKA_BOOTSTRAP_SERVERS=servers.kafka, SEGUE_NAMESPACE=namespace)
    commands = Commands(servers.run, environment)
    for arguments in (
        ["topics", "create", "--partitions", "4", "--timestamps", "create"],
        ["apply", str(DEFINITIONS), "--at", "2026-01-01T00:00:00Z"],
    ):
        outcome = commands.run(*arguments)
        assert outcome.returncode == 0, outcome.tail()
    servers.write(Names(namespace).tracking, work)


def run_one(
    contender: Contender,
    python: Path,
    number: int,
    task: Task,
    servers: Servers,
    namespace: str,
    patience_s: float = PATIENCE_S,
) -> Result:
    """One run on an interpreter; the topics and the Redis of it are new and go with it."""
    is_segue = contender.folder is None
    target = Names(namespace).transitions if is_segue else f"{namespace}.{contender.name}-{uuid.uuid4().hex[:8]}"
    if is_segue:
        servers.delete(target)  # so that the broker stamps it, and nothing of the last run is there
    else:
        servers.begin(target, task.topic)
    servers.create(target)
    wanted = task.right.published if is_segue else len(task.right.changes)
    with servers.redis() as redis:
        directory = str(servers.run.subdirectory(contender.name))
        terms = Terms(servers.kafka, task.topic, target, target, redis.url, directory, contender.garbage_thresholds)
        entrant = start(contender, python, servers.run, terms, namespace)
        sampler = Sampler(entrant.pids, [redis.pid], servers.broker_pids)
        try:
            with servers.ends(target) as ends:
                _watch(contender, ends, wanted, entrant, sampler, patience_s)
            ended = entrant.ended
        finally:
            entrant.end()
    result = _result(contender, number, task, list(_published(servers, target)), sampler, entrant)
    if ended:
        result.verdict = f"ended by itself; {result.verdict}"
    if not is_segue:
        servers.delete(target)
    return result


def _watch(
    contender: Contender,
    ends: Callable[[], list[int]],
    wanted: int,
    entrant: Entrant,
    sampler: Sampler,
    patience_s: float,
) -> None:
    begun = moved = told = time.monotonic()
    count = 0
    while True:
        sampler.sample()
        time.sleep(_SAMPLE_S)
        now, before = time.monotonic(), count
        count = sum(ends())
        moved = now if count > before else moved
        if now - told > _TELL_S:
            told = now
            progress(f"{contender.title}: {count:,} of {wanted:,} transitions after {now - begun:.0f} s")
        if count >= wanted or entrant.ended or now - moved > patience_s:
            break
    time.sleep(_SETTLE_S)
    sampler.sample()


def _published(servers: Servers, target: str) -> Iterator[Published]:
    for message in servers.read(target):
        value = message.value()
        assert isinstance(value, bytes)
        body = _decode(value)
        at = body.effective_at
        at_ms = at if isinstance(at, int) else parse_any_instant(at)
        change = Change(number_of(body.contact_id), place_of(body.segment), body.sequence, at_ms)
        yield Published(change, body.type == "segment.entered", message.timestamp()[1])


def _result(
    contender: Contender, number: int, task: Task, published: list[Published], sampler: Sampler, entrant: Entrant
) -> Result:
    judgement = judge(published, task.right, 0 if contender.folder is None else ROUNDING_MS)
    result = Result(contender.name, number, task.work.taken, judgement.right, str(judgement), sampler.peak_mb)
    pace = task.places.pace(published)
    if not judgement.right:
        progress(f"{contender.title}: {judgement}\n{entrant.tail()}")
    if pace is None:
        result.verdict = f"{judgement}, over too soon, or in batches too large, to tell a rate"
    else:
        used = [seconds * 1e6 / pace.events for seconds in sampler.used(pace.begin_ms, pace.end_ms)]
        result.per_second = pace.per_second
        result.cost = Cost(used[0], used[1], used[2] if sampler.broker_is_watched else None)
    return result
