"""`python -m tests.faults.chaos`: everything that may befall Segue, mixed at random, in rounds with an audit each."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import AdminClient

from streams.ports import Message
from tests.faults.auditing import Verdict, read_topic
from tests.faults.calls import Calls
from tests.faults.detecting import Detectors
from tests.faults.listener import Listener
from tests.faults.mix import Mix
from tests.faults.outage import Outage, Toll
from tests.faults.servers import Servers, pause
from tests.faults.stage import Stage
from tests.support.processes import Commands, base_environment
from tests.support.run_directory import Run, RunDirectory

_ROUND_S = 60.0
_FAULTS_LEAST = 5
_RECORDS_PER_S = 30
_AWAY_MINUTES_MAX = 10.0
_LIMIT_S = 90.0
"""After which a fault counts as never mended."""
_OVERLAP = 0.3  # of the heavy faults: the next one does not wait for their recovery
_SPRUNG = {"kill": "killed at a point", "stop": "hung at a point", "away": "call failed", "bug": "bug at a point"}


@dataclass
class Tally:
    """What a run has come to so far."""

    seed: int
    minutes: float = 0.0
    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    recoveries: list[tuple[str, float]] = field(default_factory=list)
    outage: Toll | None = None

    def count(self, word: str) -> int:
        """How many problems speak of something lost, or doubled."""
        return sum(word in problem for problem in self.verdict.problems)

    def percentile(self, share: float) -> float:
        """Of the recovery times, in seconds."""
        times = sorted(seconds for _, seconds in self.recoveries) or [0.0]
        return times[min(len(times) - 1, int(share * len(times)))]

    def as_json(self) -> dict[str, object]:
        """For machines."""
        slowest = max(self.recoveries, key=lambda one: one[1], default=("", 0.0))
        return {
            "seed": self.seed,
            "minutes": round(self.minutes, 1),
            "rounds": self.rounds,
            "faults": dict(self.faults.most_common()),
            "faults_total": self.faults.total(),
            "records": self.verdict.records,
            "records_acknowledged": self.verdict.acknowledged,
            "dead_letters": self.verdict.dead_letters,
            "transitions_checked": self.verdict.transitions,
            "lost": self.count("lost"),
            "doubled": self.count("doubled"),
            "problems": self.verdict.problems,
            "outage": None if self.outage is None else self.outage.as_json(),
            "recoveries": len(self.recoveries),
            "recovery_s": {
                "p50": round(self.percentile(0.5), 2),
                "p99": round(self.percentile(0.99), 2),
                "max": round(slowest[1], 2),
                "slowest": slowest[0],
            },
        }


class Chaos:
    """A run: servers that last, and a fresh namespace for each round."""

    def __init__(self, run: RunDirectory, seed: int) -> None:
        self._run = run
        self._chance = random.Random(seed)
        self._servers = Servers(run)
        self.tally = Tally(seed)

    def play_round(self, until: float) -> None:
        """One round, which ends early at the instant `until`; audited."""
        self.tally.rounds += 1
        servers, number = self._servers, self.tally.rounds
        environment = base_environment(
            SEGUE_KAFKA_BOOTSTRAP_SERVERS=servers.broker.bootstrap_servers,
            SEGUE_REDIS_URL=servers.line.url,
            SEGUE_NAMESPACE=f"round{number}",
        )
        commands = Commands(self._run, environment)
        directory = self._run.subdirectory("round")
        stage = Stage(
            commands, servers.broker.bootstrap_servers, servers.view.url, f"round{number}", directory, seed=number
        )
        stage.zombies = True
        known = len(self.tally.verdict.problems)
        try:
            self._play(stage, commands, until)
        except AssertionError as error:
            self.tally.verdict.problems.append(f"round {number}: {error}")
        finally:
            stage.close()
            commands.kill_all()
        if len(self.tally.verdict.problems) > known:
            self._keep_logs(commands)
        self._tidy(stage)

    def play_outage(self, away_s: float) -> None:
        """The broker away for so long, and a collector whose spool takes what comes in; audited."""
        outage = Outage(self._servers, self._run, self._chance)
        toll = outage.play(away_s)
        self.tally.outage = toll
        self.tally.verdict.acknowledged += toll.acknowledged
        self.tally.verdict.problems += toll.problems
        if toll.problems:
            self._keep_logs(outage.commands)

    def _play(self, stage: Stage, commands: Commands, until: float) -> None:
        stage.begin(rate_per_s=_RECORDS_PER_S)
        calls, listener = Calls(commands, self._run.subdirectory("spool")), Listener(commands)
        detectors = Detectors(commands)
        calls.start()
        mix = Mix(self._servers, stage, calls, listener, detectors, self._chance)
        try:
            self._strike(mix, min(until, time.monotonic() + _ROUND_S))
            calls.goes_on(_LIMIT_S)
            calls.stop()
            stage.load.stop()
            # Before the audit: what detectors write is part of the log that it is held against.
            problems = detectors.settle(stage.load.journal, lambda: _written(stage))
            verdict = stage.settle()
            verdict.problems += problems
            verdict.problems += calls.missing(_written(stage))
            verdict.problems += listener.settle(read_topic(stage.servers, stage.names.transitions, stage.partitions))
            verdict.acknowledged += len(calls.answered)
            self.tally.verdict += verdict
        except AssertionError as error:
            raise AssertionError(f"after {mix.last}: {error}") from error
        finally:
            calls.abandon()
            self._count(mix, stage)

    def _strike(self, mix: Mix, until: float) -> None:
        while time.monotonic() < until or mix.done.total() < _FAULTS_LEAST:
            kind = mix.strike()
            mix.listener.look()
            mix.detectors.look()
            if kind.heavy and self._chance.random() > _OVERLAP:
                mix.stage.recovered(mix.last, _LIMIT_S)
            else:
                pause(self._chance.uniform(0.0, 0.2))

    def _count(self, mix: Mix, stage: Stage) -> None:
        self.tally.faults += mix.done
        self.tally.faults += Counter(_SPRUNG[action] for _, action in stage.crew.sprung)
        self.tally.recoveries += stage.recoveries

    def _keep_logs(self, commands: Commands) -> None:
        path = Path(tempfile.gettempdir(), f"segue-chaos-{self.tally.seed}-{self.tally.rounds}.log")
        path.write_text(commands.tails())
        self.tally.verdict.problems.append(f"what the processes of this round wrote is in {path}")

    def _tidy(self, stage: Stage) -> None:
        """What a round left would only be in the way of the next ones."""
        names = stage.names
        admin = AdminClient({"bootstrap.servers": self._servers.broker.bootstrap_servers, "log_level": 0})
        admin.delete_topics([names.tracking, names.transitions, names.dead_letter, names.lists])
        client = self._servers.master.client()
        client.flushall()
        client.close()


def _written(stage: Stage) -> list[list[Message]]:
    """The whole log, by partition."""
    return read_topic(stage.servers, stage.names.tracking, stage.partitions)


def _show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _report(tally: Tally) -> None:
    found = tally.as_json()
    _show(
        f"\n{tally.faults.total()} faults in {tally.minutes:.1f} minutes and {tally.rounds} rounds, seed {tally.seed}"
    )
    for name, count in tally.faults.most_common():
        _show(f"  {count:6}  {name}")
    _show(f"{tally.verdict.records} records, {tally.verdict.dead_letters} dead letters")
    _show(f"{tally.verdict.transitions} transitions checked: {found['lost']} lost, {found['doubled']} doubled")
    _show(
        f"recovery (of {len(tally.recoveries)} faults, one by one): p50 {tally.percentile(0.5):.2f} s, "
        f"p99 {tally.percentile(0.99):.2f} s, max {tally.percentile(1):.2f} s"
    )
    if tally.outage is not None:
        _show(tally.outage.as_line())
    for problem in tally.verdict.problems:
        _show(f"PROBLEM {problem}")


def main() -> int:
    """Play rounds until the time is over, then an outage; 1 where anything was wrong."""
    given = _arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    away_minutes = given.away_minutes
    if away_minutes is None:
        away_minutes = min(_AWAY_MINUTES_MAX, 2 * given.minutes)
    _show(f"seed {seed}, {given.minutes:g} minutes, then {away_minutes:g} without a broker")
    run = Run()
    try:
        chaos = Chaos(run.directory, seed)
        _play_rounds(chaos, 60 * given.minutes)
        if away_minutes:
            chaos.play_outage(60 * away_minutes)
    finally:
        run.end()
    _report(chaos.tally)
    if given.json is not None:
        given.json.write_text(json.dumps(chaos.tally.as_json(), indent=2) + "\n")
    return 1 if chaos.tally.verdict.problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="of rounds; 0: none")
    parser.add_argument(
        "--away-minutes",
        type=float,
        default=None,
        help="that the broker is away afterwards, while a collector spools; by default twice --minutes, at most 10",
    )
    parser.add_argument("--seed", type=int, default=None, help="of what is done and in which order; instants differ")
    parser.add_argument("--json", type=Path, default=None, help="write the report here, too")
    return parser.parse_args()


def _play_rounds(chaos: Chaos, for_s: float) -> None:
    began = time.monotonic()
    while time.monotonic() < began + for_s:
        tally = chaos.tally
        known = len(tally.verdict.problems)
        chaos.play_round(began + for_s)
        for problem in tally.verdict.problems[known:]:
            _show(f"PROBLEM {problem}")
        tally.minutes = (time.monotonic() - began) / 60
        _show(
            f"{tally.minutes:5.1f} min  round {tally.rounds}: {tally.faults.total()} faults, "
            f"{tally.verdict.transitions} transitions, {len(tally.verdict.problems)} problems"
        )


if __name__ == "__main__":
    sys.exit(main())
