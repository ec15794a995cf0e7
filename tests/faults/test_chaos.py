"""A few seconds of `make chaos`: what it says and how it ends; and what it says when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults.auditing import Verdict
from tests.faults.chaos import Tally
from tests.support.processes import Commands, base_environment
from tests.support.run_directory import RunDirectory


def test_a_short_run_of_chaos_finds_nothing_and_says_what_it_did(run_directory: RunDirectory, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    commands = Commands(run_directory, base_environment())
    try:
        arguments = ("--minutes", "0.2", "--away-minutes", "0.1", "--seed", "5", "--json", str(report))
        chaos = commands.start_module("tests.faults.chaos", *arguments)
        assert chaos.wait(300) == 0, chaos.tail()
    finally:
        commands.end()
    found = json.loads(report.read_text())
    assert (found["seed"], found["rounds"], found["problems"]) == (5, 1, [])
    assert found["faults_total"] == sum(found["faults"].values()) > 3
    assert found["transitions_checked"] > 0
    assert found["outage"]["acknowledged"] > 1_000
    assert found["outage"]["spooled_bytes"] > 0
    assert found["outage"]["in_the_log"] >= found["outage"]["acknowledged"]
    assert "0 lost, 0 doubled" in chaos.stdout


def test_what_was_lost_and_doubled_is_counted_and_times_are_ranked() -> None:
    tally = Tally(1, recoveries=[(f"fault {number}", float(number)) for number in range(1, 101)])
    problems = ["partition 0: lost: a gap", "partition 1: lost: 2 dead letters", "partition 1: doubled: 1 dead letters"]
    tally.verdict += Verdict(transitions=7, problems=problems)
    found = tally.as_json()
    assert (found["transitions_checked"], found["lost"], found["doubled"]) == (7, 2, 1)
    assert found["recovery_s"] == {"p50": 51.0, "p99": 100.0, "max": 100.0, "slowest": "fault 100"}
