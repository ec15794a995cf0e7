"""Checks of a collector's spool, where its directory is set and can be reached from here."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.instants import format_instant
from streams.doctor.facts import Facts
from streams.doctor.findings import Finding, error, ok, warning
from streams.spool.layout import KEYS, SETTING
from streams.spool.survey import TRANSIENT_FILESYSTEMS, SpoolSurvey

WAITING_MAX_MS = 15 * 60_000
"""Longer than a restart of brokers takes."""
_BATCHES_SHARE = 0.5
_NEARLY_FULL_SHARE = 0.9


def spool_place(facts: Facts) -> Iterable[Finding]:
    """The directory is there, may be written to, and outlives the process."""
    spool = facts.spool
    if facts.spool_directory is None:
        yield ok("spool", f"{SETTING} is not set here")
    elif spool is None:
        expected = "a directory that the collector has made; without one its calls are answered 503 while Kafka is away"
        yield error("spool", f"no {facts.spool_directory}", expected, f"start the collector, or correct {SETTING}")
    elif not spool.writable:
        fix = f"run this as the collector's user, or give {spool.directory} to it"
        yield error("spool", f"{spool.directory} may not be written to", "the collector's own directory", fix)
    elif spool.filesystem in TRANSIENT_FILESYSTEMS:
        expected = "a disk that outlives the process: what it has acknowledged is there and nowhere else"
        fix = f"{SETTING} on a volume or a local disk; stop the collector and take the directory along"
        yield warning("spool", f"{spool.directory} lies on {spool.filesystem}", expected, fix)
    else:
        yield ok("spool", f"{spool.directory} on {spool.filesystem or 'a file system that is not told'}")


def spool_waiting(facts: Facts) -> Iterable[Finding]:
    """What is in it goes to Kafka soon."""
    spool = facts.spool
    if spool is None:
        yield ok("records in the spool", "none that can be seen from here")
    elif not spool.segments:
        yield ok("records in the spool", "none")
    elif spool.owned is False:
        found = f"{_told(spool)}, and no process that can be seen from here has them"
        expected = "a collector on this directory: what lies there was acknowledged"
        yield warning("records in the spool", found, expected, "segue collector, or run this where it runs")
    elif spool.oldest_ms and facts.now_ms - spool.oldest_ms > WAITING_MAX_MS:
        fix = "see why in its log and at /readyz: ops/runbooks/SegueCollectorSpooling.md"
        yield warning("records in the spool", _told(spool), "in Kafka within a quarter of an hour", fix)
    else:
        yield ok("records in the spool", _told(spool))


def spool_room(facts: Facts) -> Iterable[Finding]:
    """There is room for an outage, within the bound and on the disk."""
    spool, about = facts.spool, "room in the spool"
    if spool is None:
        yield ok(about, "none that can be seen from here")
        return
    used = spool.bytes + spool.damaged_bytes
    told = f"{used:,} of {spool.bytes_max:,} bytes used, {spool.free_bytes:,} free on the disk"
    fix = "bring Kafka back; else more room by SEGUE_COLLECTOR_SPOOL_BYTES: ops/runbooks/SegueCollectorSpoolFull.md"
    if used > _NEARLY_FULL_SHARE * spool.bytes_max:
        yield error(about, told, "room: at its bound all calls are answered 503, opens and clicks are lost", fix)
    elif used > _BATCHES_SHARE * spool.bytes_max:
        yield warning(about, told, "less than half: from there on batches are answered 503", fix)
    elif spool.free_bytes < spool.bytes_max - used:
        expected = "the disk has what SEGUE_COLLECTOR_SPOOL_BYTES may take"
        yield warning(about, told, expected, "make room on the disk, or lower SEGUE_COLLECTOR_SPOOL_BYTES")
    else:
        yield ok(about, told)


def spool_damage(facts: Facts) -> Iterable[Finding]:
    """Nothing that was acknowledged had to be set aside."""
    spool, about = facts.spool, "set aside by the spool"
    page = "ops/runbooks/SegueCollectorSpoolDamaged.md"
    if spool is not None and spool.damaged:
        found = f"{spool.damaged} files with damage, {spool.damaged_bytes:,} bytes: {spool.directory}/*.damaged"
        yield error(about, found, "none: of what was acknowledged something is not in Kafka", page)
    elif spool is not None and spool.refused_bytes:
        found = f"{spool.refused_bytes:,} bytes that Kafka refuses: {spool.directory}/refused"
        yield warning(about, found, "none", page)
    else:
        yield ok(about, "nothing")


def spool_keys(facts: Facts) -> Iterable[Finding]:
    """A collector that starts while Kafka is away would know the keys."""
    spool, about, topic = facts.spool, "keys in the spool", facts.names.keys
    expected = f"a copy of the topic {topic}, to start from while Kafka is away"
    fix = "a collector that reaches Kafka writes it within five minutes; if it does not, its log says why: ops/keys.md"
    if spool is None:
        yield ok(about, "none that can be seen from here")
    elif topic not in facts.kafka.topics:
        yield ok(about, f"there is no topic {topic}")
    elif spool.keys is None:
        yield warning(about, spool.keys_problem or f"no {spool.directory / KEYS}", expected, fix)
    elif spool.keys.topic != topic:
        yield warning(about, f"a copy of the topic {spool.keys.topic}", expected, fix)
    else:
        told = f"{len(spool.keys.values)} as of {format_instant(spool.keys.as_of_ms)}"
        if spool.owned and facts.now_ms - spool.keys.as_of_ms > WAITING_MAX_MS:
            yield warning(about, told, "of the last quarter of an hour", fix)
        else:
            yield ok(about, told)


def _told(spool: SpoolSurvey) -> str:
    since = f", the oldest of {format_instant(spool.oldest_ms)}" if spool.oldest_ms else ""
    return f"{spool.bytes:,} bytes in {spool.segments} files{since}"
