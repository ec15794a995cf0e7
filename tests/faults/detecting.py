"""Detectors under supervision, and whether all bursts of the load, and nothing else, were taken back by them."""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from schemas.errors import EXIT_DONE, EXIT_UNAVAILABLE
from schemas.record_models import Correction
from schemas.records import decode_record
from streams.ports import Message
from tests.faults.load import BURST, BURST_LINKS, Acknowledged
from tests.live.detectors import QUICK
from tests.support.processes import Commands, StartedCommand
from tests.support.waiting import wait_until

_COUNT = 2
_TIMEOUT_S = 90
Log = Sequence[Sequence[Message]]


class Detectors:
    """Two of `segue detect`, each started again whenever it was killed or ended for want of Kafka."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self.running = [self._start() for _ in range(_COUNT)]
        self.problems: list[str] = []

    def kill(self, number: int) -> None:
        """`kill -9`; another one takes its place."""
        self.running[number].kill()
        self.look()

    def look(self) -> None:
        """Start again whichever has ended."""
        for number, process in enumerate(self.running):
            code = process.returncode
            if code is None:
                continue
            if code >= 0 and code != EXIT_UNAVAILABLE:
                self.problems.append(f"a detector ended with {code}: {process.stderr.strip().splitlines()[-1:]}")
            self.running[number] = self._start()

    def settle(self, journal: Sequence[Acknowledged], log: Callable[[], Log]) -> list[str]:
        """Wait until all whole bursts of the journal are taken back, and end; what was wrong with what was written.

        Nothing is written to the log by others that could be taken back: call it when the load has ended.
        """
        wanted = bursts(journal, log())

        def taken_back() -> bool:
            self.look()
            return wanted <= corrected(log())

        with suppress(AssertionError):  # it is told below
            wait_until(taken_back, _TIMEOUT_S, "all bursts taken back")
        for process in self.running:
            code = process.terminate()
            still_starting = code == -signal.SIGTERM and "/metrics" not in process.stderr
            if code not in (EXIT_DONE, EXIT_UNAVAILABLE) and not still_starting:
                self.problems.append(f"a detector that was asked to end did so with {code}")
        return self.problems + wrongly_found(wanted, corrected(log()))

    def _start(self) -> StartedCommand:
        return self._commands.start("detect", environment=QUICK)


def bursts(journal: Sequence[Acknowledged], log: Log) -> set[str]:
    """Ids of the events of all bursts that the broker has whole, but for those of contacts that were erased.

    A detector that reads late may come to the erasure before it has judged what was before, and forgets that.
    """
    erased = {msgspec.json.decode(value)["contact_id"] for value in _values(log) if b'"type": "erase"' in value}
    held: dict[str, set[str]] = defaultdict(set)
    for one in journal:
        if BURST.encode() in one.value:
            click = msgspec.json.decode(one.value)
            if click["contact_id"] not in erased:
                held[click["event_id"].rpartition("-")[0]].add(click["event_id"])
    return {each for ids in held.values() if len(ids) == BURST_LINKS for each in ids}


def wrongly_found(wanted: set[str], found: set[str]) -> list[str]:
    """What is wrong with the events that were taken back, by their ids; those of `wanted` had to be."""
    told = {
        "lost: {} clicks of bursts were not taken back, such as {}": wanted - found,
        "made up: {} events were taken for a machine's, such as {}": {
            one for one in found if not one.startswith(BURST)
        },
    }
    return [words.format(len(ids), min(ids)) for words, ids in told.items() if ids]


def corrected(log: Log) -> set[str]:
    """Ids of the events that were taken back."""
    records = [decode_record(value) for value in _values(log) if b"corrects" in value]
    return {record.corrects for record in records if isinstance(record, Correction)}


def _values(log: Log) -> list[bytes]:
    return [message.value for messages in log for message in messages if message.value is not None]
