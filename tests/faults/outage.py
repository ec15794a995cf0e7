"""One long outage: the broker away under load, the collector killed meanwhile, and again while it empties its spool.

Afterwards a worker folds the log: each contact must have counted each of its events once.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.open_loop import KEYS, WRITE_KEY, Lies, OpenLoop, again, log_events, metric, problems_of
from tests.faults.servers import Servers, pause
from tests.live.workers import Place
from tests.support.processes import Commands, StartedCommand, base_environment
from tests.support.run_directory import RunDirectory, free_port
from tests.support.waiting import wait_until

_PER_SECOND = 300
_CONTACTS = 8
_EMPTY_S = 300.0
_FOLDED_S = 300.0
_DEFINITIONS = """
version: 1
scores: {seen: {points: [{event: page_view, points: 1}]}}
segments: {seen: {when: {score: {name: seen, gte: 1}}}}
"""
_BYTES, _RECORDS = "segue_collector_spool_bytes", "segue_collector_spool_records"
_REPLAYED = "segue_collector_spool_replayed_total"


@dataclass
class Toll:
    """What an outage came to."""

    away_s: float
    acknowledged: int = 0
    repeated: int = 0
    unanswered: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    slowest_s: float = 0.0
    spooled_records: int = 0
    spooled_bytes: int = 0
    replayed_before_the_kill: int = 0
    left_at_the_kill_bytes: int = 0
    emptied_s: float = 0.0
    in_the_log: int = 0
    again_in_the_log: int = 0
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return asdict(self)

    def as_line(self) -> str:
        """For people."""
        return (
            f"a broker away for {self.away_s:.0f} s: {self.acknowledged} events acknowledged (answers {self.statuses}, "
            f"{self.unanswered} calls without one, the slowest after {self.slowest_s:.2f} s), "
            f"{self.spooled_bytes} bytes spooled, the spool empty {self.emptied_s:.1f} s after; "
            f"{self.in_the_log} events in the log, {self.again_in_the_log} of them again; {len(self.problems)} problems"
        )


class Outage:
    """A collector with a spool of its own, and clients that note what it acknowledged."""

    def __init__(self, servers: Servers, run: RunDirectory, chance: random.Random) -> None:
        self._broker = servers.broker
        self._chance = chance
        self._port = free_port()
        directory = run.subdirectory("outage")
        environment = base_environment(
            SEGUE_KAFKA_BOOTSTRAP_SERVERS=servers.broker.bootstrap_servers,
            SEGUE_REDIS_URL=servers.line.url,
            SEGUE_NAMESPACE="outage",
            SEGUE_COLLECTOR_SPOOL_DIR=str(directory / "spool"),
        )
        self.commands = Commands(run, environment)
        self._place = Place(
            self.commands, servers.broker.bootstrap_servers, servers.line.url, "outage", Path(directory)
        )
        self._collector: StartedCommand

    def play(self, away_s: float) -> Toll:
        """Have it, and tell what became of every event that was acknowledged."""
        toll = Toll(away_s)
        self._place.prepare("append", _DEFINITIONS)
        made = json.loads(self._place.command("keys", "create", "website", "--json").stdout)
        self._start()
        # Half of the contacts send with a key that a collector without Kafka knows by its copy only.
        secrets = (WRITE_KEY, made["secret"])
        load = OpenLoop(self._port, connections=_CONTACTS, per_second=_PER_SECOND, secrets=secrets)
        try:
            with load:
                load.wait_for_more(300)
                self._endure(load, toll)
                self._recover(load, toll)
            self._collector.terminate()
            self._audit(load, toll)
        except AssertionError as error:
            toll.problems.append(f"a broker away for {away_s:.0f} s: {error}")
        finally:
            self.commands.kill_all()
        return toll

    def _endure(self, load: OpenLoop, toll: Toll) -> None:
        """The broker is away, and the collector dies once."""
        self._broker.kill()
        before_s = toll.away_s * self._chance.uniform(0.2, 0.8)
        pause(before_s)
        load.wait_for_more(1)
        self._die()
        pause(toll.away_s - before_s)
        load.wait_for_more(1)
        toll.spooled_records = round(metric(self._port, _RECORDS))
        toll.spooled_bytes = round(metric(self._port, _BYTES))

    def _recover(self, load: OpenLoop, toll: Toll) -> None:
        """The broker is back, and the collector dies while it sends what it kept."""
        self._broker.start()
        began_s = time.monotonic()
        share = toll.spooled_records * self._chance.uniform(0.0, 0.5)
        wait_until(lambda: metric(self._port, _REPLAYED) > share, _EMPTY_S, "the spool being emptied")
        toll.replayed_before_the_kill = round(metric(self._port, _REPLAYED))
        toll.left_at_the_kill_bytes = round(metric(self._port, _BYTES))
        self._die()
        wait_until(lambda: metric(self._port, _BYTES) == 0, _EMPTY_S, "the spool to be empty")
        toll.emptied_s = round(time.monotonic() - began_s, 1)
        load.wait_for_more(300)

    def _audit(self, load: OpenLoop, toll: Toll) -> None:
        lies = log_events(self._place.servers, self._place.names.tracking, self._place.partitions)
        toll.problems += problems_of(load, lies) + self._miscounted(lies)
        toll.acknowledged, toll.unanswered = len(load.acknowledged), load.unanswered
        toll.repeated = len(load.repeated)
        toll.statuses = {str(status): count for status, count in sorted(load.statuses.items())}
        toll.slowest_s = round(load.slowest_s, 2)
        toll.in_the_log, toll.again_in_the_log = len(lies), again(lies)

    def _miscounted(self, lies: Mapping[str, Lies]) -> list[str]:
        """What is wrong with what a worker makes of the log."""
        self._place.worker()
        self._place.wait_until_folded(_FOLDED_S)
        problems = []
        for contact, events in Counter(event.contact for event in lies.values()).items():
            seen = json.loads(self._place.command("contact", contact, "--json").stdout)["scores"]["seen"]["reading"]
            if seen != events:
                word = "lost" if seen < events else "doubled"
                problems.append(f"{word}: {contact} counted {seen:g} events of {events}")
        return problems

    def _start(self) -> None:
        self._collector = self.commands.start("collector", "--port", str(self._port), environment=KEYS)
        self._collector.wait_for_output("collector listens on")

    def _die(self) -> None:
        self._collector.kill()
        self._start()
