"""The benchmark as it is run: every command has its help, and the smallest measurements end with figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import COMMANDS, parser
from bench.collector import start_collector
from bench.load import Plan, StartedLoad
from bench.stand import Stand
from tests.conftest import Kafka
from tests.support.processes import Commands
from tests.support.run_directory import RunDirectory


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_what_it_measures_and_writes_json_where_asked(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        parser().parse_args([name, "--help"])
    assert "--json FILE" in capsys.readouterr().out
    assert parser().parse_args([name]).command == name


def test_a_simulation_is_measured(commands: Commands, tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    arguments = ["simulate", "--records", "500", "--contacts", "50", "--json", str(written)]
    measured = commands.start_module("bench", *arguments)
    assert measured.wait(120) == 0, measured.tail()
    assert "one partition" in measured.stdout
    assert [row["records/s"] > 0 for row in json.loads(written.read_text())["tables"][0]["rows"]] == [True] * 3


def test_a_load_on_a_pace_is_answered_and_measured(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    stand = Stand(RunDirectory(tmp_path), kafka.bootstrap_servers, redis_url)
    with stand.place("append") as place:
        _, port = start_collector(place)
        plan = Plan("single", 0.5, per_second=100, port=port, connections=4)
        outcome = StartedLoad(place.commands, plan, tmp_path).outcome()
    assert outcome.statuses == {"200": 50}
    assert len(outcome.waits_ns) == len(outcome.due_ns) == 50
    # No answer is there before its call was due.
    assert min(outcome.answered_ns[str(number)] - due for number, due in enumerate(outcome.due_ns)) > 0
