"""Checks of the definitions: that all partitions hold the same, that they can be changed, that no change was left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from streams.doctor.facts import BuildFacts, Facts
from streams.doctor.findings import Finding, numbers, ok, warning

BUILD_IDLE_MAX_S = 3_600
"""Somebody who looks at a plan for longer has forgotten it. It takes as much room as the state that serves."""


def definitions_agree(facts: Facts) -> Iterable[Finding]:
    """All partitions hold the same definitions, or are on their way to them."""
    held = defaultdict(list)
    for partition, point in facts.state.points.items():
        if point.versions:
            held[point.versions[-1].number, point.versions[-1].hash].append(partition)
    if not held:
        yield ok("definitions", "none hold yet")
        return
    newest = max(held)
    told = "; ".join(
        f"{number} ({hash_[:12]}) in partition {numbers(held[number, hash_])}" for number, hash_ in sorted(held)
    )
    behind = [partition for place, partitions in held.items() if place != newest for partition in partitions]
    stuck = [partition for partition in behind if not _has_more_to_read(partition, facts)]
    if stuck:
        yield warning(
            "definitions",
            told,
            f"the same in every partition; partition {numbers(stuck)} has read its log to the end",
            "an apply was broken off: run segue apply again with the same file, it completes what is missing",
        )
    elif behind:
        yield ok("definitions", f"{told}; partition {numbers(behind)} has more to read, see segue status")
    else:
        yield ok("definitions", f"{newest[0]} ({newest[1][:12]}) in every partition")


def _has_more_to_read(partition: int, facts: Facts) -> bool:
    bounds = facts.kafka.tracking.get(partition)
    return bounds is not None and facts.state.points[partition].cursor.offset < bounds.end


def builds(facts: Facts) -> Iterable[Finding]:
    """No state was built for a change that nobody has made."""
    for partition, build in sorted(facts.state.builds.items()):
        about = f"build of partition {partition}"
        upgrade = _is_upgrade(partition, build, facts)
        what = "the same definitions, in another format" if upgrade else _definitions(build)
        told = f"for {what}, {build.offset:,} records, {build.keys:,} keys"
        if build.idle_s is None or build.idle_s <= BUILD_IDLE_MAX_S:
            yield ok(about, told)
        else:
            expected = f"applied or given up within {BUILD_IDLE_MAX_S // 3_600} h: it takes room in Redis"
            yield warning(
                about, f"{told}, left alone for {build.idle_s // 60:,} min", expected, _way_on(build, upgrade)
            )
    removing = [
        partition
        for partition, point in facts.state.points.items()
        if point.former is not None and not point.is_telling
    ]
    if removing:
        yield ok("changes of definitions", f"partition {numbers(removing)} removes the state from before its last one")
    elif not facts.state.builds:
        yield ok("changes of definitions", "none is under way")


def _definitions(build: BuildFacts) -> str:
    return f"definitions of hash {build.definitions_hash[:12]}"


def _is_upgrade(partition: int, build: BuildFacts, facts: Facts) -> bool:
    """Whether it is built for the definitions that hold, since the state that serves is of another format."""
    point = facts.state.points.get(partition)
    held = point.versions[-1] if point is not None and point.versions else None
    return held is not None and (held.hash, held.semantics) == (build.definitions_hash, build.semantics)


def _way_on(build: BuildFacts, upgrade: bool) -> str:
    if upgrade:
        return "start workers of the version that built it, which take it over, or segue plan --discard"
    if build.by_worker:
        return "its change is in the log and waits for a worker: segue worker"
    return "segue apply with the planned file, which goes on with it, or segue plan --discard"


def log_is_whole(facts: Facts) -> Iterable[Finding]:
    """New definitions are folded from the start of the log."""
    short = {partition: bounds.start for partition, bounds in facts.kafka.tracking.items() if bounds.start > 0}
    if short:
        most = max(short, key=lambda partition: short[partition])
        found = f"partition {numbers(short)} lacks its start; partition {most} begins at record {short[most]:,}"
        yield warning(
            "history of the log",
            found,
            "every record: new definitions are folded from the first one",
            "to change them nevertheless, segue apply FILE --accept-short-history, which counts from there; "
            "to lose no more, keep tracking for ever (retention.ms=-1)",
        )
    elif facts.kafka.tracking:
        yield ok("history of the log", "whole: definitions can be changed")
