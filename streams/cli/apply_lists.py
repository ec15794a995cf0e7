"""The lists of a definition file, as `segue apply` publishes them."""

from __future__ import annotations

import time
import uuid

from schemas.errors import UnavailableError
from schemas.settings import CommonSettings
from streams.adapters.kafka.compacted import KafkaCompactedLog
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.kafka.writer import KafkaWriter
from streams.cli.progress import counted
from streams.planning.plan import ListMoves
from streams.segmentation import Definitions
from streams.sending.applied_lists import ListPlan, plan_lists, publish_lists, read_journal
from streams.sending.log_clocks import ApplyTimes, read_clocks


class ListPublisher:
    """Publishes what changed of the lists of one file since it was applied last."""

    def __init__(self, settings: CommonSettings, reader: KafkaTopics, definitions: Definitions, at: int | None) -> None:
        """`at` is the instant at which contacts come onto the lists, where it is stated.

        Raises `UnavailableError` where the topic that keeps what was published is missing, and wanted.
        """
        self._settings = settings
        self._reader = reader
        self._definitions = definitions
        self._at = at
        self._journal = self._find_journal()
        self.plan = self._make_plan()
        """What there is to do, or was done."""

    def publish(self) -> None:
        """Write it to the log. Its clock may have come further since it was planned."""
        if self._journal is None:
            return
        self.plan = self._make_plan()
        writer = KafkaWriter(self._settings.kafka, self._settings.names.tracking)
        with counted(3 * len(self.plan.changes), "steps of publishing lists") as show:
            publish_lists(self.plan, writer, self._journal, show)

    def moves(self) -> list[ListMoves]:
        """What there is to do, list by list, where there is something."""
        return [
            ListMoves(name, tally.put_on, tally.taken_off)
            for name, tally in self.plan.tallies.items()
            if tally.put_on or tally.taken_off
        ]

    def _find_journal(self) -> KafkaCompactedLog | None:
        """What was published of lists; None where no list was ever published, nor is one to be."""
        topic = self._settings.names.lists
        if topic in self._reader.partition_counts([topic]):
            return KafkaCompactedLog(self._settings.kafka, topic)
        if any(self._definitions.lists.values()):
            raise UnavailableError(
                f"no topic {topic}, which keeps what was published of the lists in the file: create it with "
                "`segue topics create`, with the options that the other topics were created with"
            )
        return None

    def _make_plan(self) -> ListPlan:
        if self._journal is None:
            return ListPlan(log="", end=0, tallies={})
        topic, reader = self._settings.names.tracking, self._reader
        published, end = read_journal(self._journal)
        now_ms = time.time_ns() // 1_000_000
        times = ApplyTimes(read_clocks(reader, topic), now_ms, self._at, reader.timestamp_type(topic))
        log = reader.log_identity(topic).topic_id
        return plan_lists(self._definitions.lists, published, end, log=log, run=uuid.uuid4().hex, times=times)
