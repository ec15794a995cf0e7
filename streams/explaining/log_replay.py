"""Replays the log of a partition for the sake of one contact, under all definitions that held in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from schemas.errors import UnavailableError
from streams.explaining.replay import Replay
from streams.pipeline.admission import Admission, Admitted, RejectedRecordError
from streams.ports import RawRecord
from streams.segmentation import Definitions, rehearsing_core_of

_KEYS_CACHED = 100_000

Log: TypeAlias = Callable[[], Iterable[RawRecord]]
"""Reads the same records of a partition, from the log's start on, as often as it is called."""


def replay_log(
    log: Log,
    contact_id: str,
    topic: str,
    partition: int,
    partitions: int,
    check: Callable[[Definitions], None] = lambda _definitions: None,
) -> Replay:
    """The contact at the end of its partition's log, under the definitions that hold there.

    The log is read once, and where definitions change in it once more, however often they do. `check` is called with
    those that hold in the end. Raises `UnavailableError` for an empty log.
    """
    reading = _Reading(log, topic, partition, partitions)
    changes: list[tuple[Admitted, Definitions]] = []
    replay: Replay | None = None
    for admitted in reading.admitted():
        if replay is not None and len(changes) == 1:
            _take(replay, admitted)
        definitions = None if admitted.change is None else admitted.change.definitions
        if definitions is not None:
            changes.append((admitted, definitions))
            if replay is None:
                replay = Replay(definitions, contact_id, partition)
                _take(replay, admitted)
    if replay is None:
        raise UnavailableError(f"{topic}: the log of partition {partition} has no definitions yet: run `segue apply`")
    check(changes[-1][1])
    if len(changes) > 1:
        replay = _replay_changes(reading, replay, changes[1:])
    replay.next_offset = reading.end
    return replay


class _Reading:
    """The records of a log that count; the same ones each time."""

    def __init__(self, log: Log, topic: str, partition: int, partitions: int) -> None:
        self._log = log
        self._where = topic, partition, partitions
        self.end = 0
        """The offset after the last record that was read."""

    def admitted(self) -> Iterator[Admitted]:
        """Read the log."""
        admission = Admission(*self._where, keys_cached_max=_KEYS_CACHED)
        for raw in self._log():
            self.end = raw.offset + 1
            try:
                yield admission.admit(raw)
            except RejectedRecordError:
                continue


def _replay_changes(reading: _Reading, former: Replay, changes: list[tuple[Admitted, Definitions]]) -> Replay:
    """Go on from `former`, which stands at the first of `changes`, to the end of the log.

    All definitions that came to hold are followed side by side from the log's start on. At its record each goes on
    from the one before, which then has had its time.
    """
    offsets = [admitted.offset for admitted, _ in changes]
    replays = [
        Replay(definitions, former.contact_id, former.partition, core=rehearsing_core_of) for _, definitions in changes
    ]
    held = 0
    for admitted in reading.admitted():
        for replay in replays[max(0, held - 1) :]:
            _take(replay, admitted)
        if held < len(offsets) and admitted.offset == offsets[held]:
            assert admitted.change is not None, "the same record brought definitions when it was read first"
            replays[held].follow(former, admitted.change.record, admitted.offset)
            former = replays[held]
            held += 1
    return former


def _take(replay: Replay, admitted: Admitted) -> None:
    if admitted.record is None:
        replay.move_on(admitted.timestamp_ms, admitted.offset)
    else:
        replay.apply(admitted.record, admitted.offset, admitted.timestamp_ms)
