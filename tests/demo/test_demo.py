"""`segue demo` as a person runs it: it ends by itself, by Ctrl-C, or because something broke, and leaves nothing."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.demo.running import RunningDemo, demos
from tests.support.processes import SEGUE, base_environment
from tests.support.run_directory import RunDirectory
from tests.support.waiting import wait_until


@pytest.fixture
def start(run_directory: RunDirectory) -> Iterator[Callable[..., RunningDemo]]:
    """Starts a demo by its command line; all are ended with the test."""
    with demos(run_directory) as start_demo:
        yield start_demo


def test_its_definitions_are_changed_from_another_terminal_and_what_that_tells_is_recomputed(
    start: Callable[..., RunningDemo],
) -> None:
    demo = start(SEGUE, "demo", "--json", "--seed", "1")
    demo.wait_for("the shop is open")
    found = re.search(r"in another terminal: \. (\S+),", demo.err)
    assert found is not None
    steps = """
    sed -i 's/{event: page_view, within: 5s}/{event: page_view, within: 20s}/' $SHOP
    segue plan $SHOP --json && segue apply $SHOP --yes --json
    """
    shell = subprocess.run(
        ["/bin/sh", "-ec", f". {found[1]}\n{steps}"],
        env=base_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert shell.returncode == 0, shell.stderr
    decoder = json.JSONDecoder()
    plan, end = decoder.raw_decode(shell.stdout)
    applied = json.loads(shell.stdout[end:])
    changes = {one["segment"]: one["change"] for one in plan["segments"] if one["change"] != "unchanged"}
    assert changes == {"browsing_now": "changed"}
    assert plan["leaving"] == 0, "a longer window lets nobody out"
    assert applied["written"] == [0, 1, 2, 3]
    demo.child.send_signal(signal.SIGINT)
    assert demo.end() == 0, demo.out + demo.err


def test_two_at_once_do_not_meet_one_sees_every_stage_and_the_other_one_may_be_killed(
    start: Callable[..., RunningDemo],
) -> None:
    judged = start(SEGUE, "demo", "--seconds", "12", "--json", "--seed", "1")
    killed = start(SEGUE, "demo", "--visitors", "5")

    killed.wait_for("the shop is open")
    assert len(killed.processes()) >= 8  # itself, its guard, Kafka, Redis, collector, worker, detector, consumer
    killed.child.kill()
    killed.end()
    killed.leaves_nothing()

    code = judged.end()
    outcome = json.loads(judged.out)
    failed = {stage["name"]: stage["text"] for stage in outcome["stages"] if not stage["passed"]}
    assert (failed, code, outcome["passed"]) == ({}, 0, True), judged.err
    (log,) = [stage["text"] for stage in outcome["stages"] if stage["name"] == "log"]
    assert "clicks of machines taken back" in log
    assert [stage["name"] for stage in outcome["stages"]] == [
        "collector",
        "log",
        "worker",
        "entered by event",
        "entered by time alone",
        "left by time alone",
        "transitions",
        "recomputed from the log",
        "webhooks",
        "signatures",
        "dead letters",
        "end",
    ]
    assert outcome["webhooks_delivered"] > 0
    assert outcome["latency_by_event_ms"]["count"] > 0
    assert outcome["latency_by_time_ms"]["count"] > 0
    judged.leaves_nothing()


def test_ctrl_c_on_a_terminal_ends_everything_and_gives_the_terminal_back(
    start: Callable[..., RunningDemo],
) -> None:
    on_a_terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    demo = start(sys.executable, "-c", on_a_terminal, SEGUE, "demo", "--visitors", "5")
    demo.wait_for("last transitions, and why")
    demo.wait_for("looked at a page")
    assert demo.child.stdin is not None
    demo.child.stdin.write(b"\x03")
    demo.child.stdin.flush()
    assert demo.end() == 0, demo.out  # the way to end a demo that has no end of its own
    assert "\x1b[?1049h" in demo.out
    picture, _, afterwards = demo.out.rpartition("\x1b[?1049l")  # back from the alternate screen
    assert "by event" in picture
    assert "the demo was ended after" in afterwards
    assert "recomputed from the log" in afterwards
    demo.leaves_nothing()


def test_a_signal_while_starting_ends_what_was_started(start: Callable[..., RunningDemo]) -> None:
    demo = start(SEGUE, "demo", "--seconds", "30")
    demo.wait_for("starting the collector")
    demo.child.send_signal(signal.SIGTERM)
    assert demo.end() == 128 + signal.SIGTERM
    demo.leaves_nothing()


@pytest.mark.parametrize(("name", "last_words"), [("worker", "ticks on"), ("collector", "ready")])
def test_a_program_that_breaks_ends_the_demo_with_its_last_lines_and_the_logs_are_kept(
    start: Callable[..., RunningDemo], name: str, last_words: str
) -> None:
    demo = start(SEGUE, "demo", "--seconds", "60", "--visitors", "8")
    demo.wait_for("the shop is open")
    (broken,) = [one for one in demo.processes() if name in one.cmdline()]
    broken.send_signal(signal.SIGKILL)
    assert demo.end() == 75
    _, _, words = demo.err.partition(f"{name} ended with code -9; its last lines:")
    assert last_words in words
    assert "Traceback" not in demo.err
    wait_until(lambda: not demo.processes(), 15, "no process left")
    (kept,) = demo.directory.iterdir()
    assert f"the logs of all programs are kept in {kept}/logs" in demo.out
    assert [path.name for path in kept.iterdir()] == ["logs"]
    names = {path.stem for path in (kept / "logs").iterdir()}
    assert names == {"kafka", "redis", "apply", "collector", "worker", "detector", "webhook-consumer"}


def test_too_short_a_time_is_refused() -> None:
    outcome = subprocess.run([SEGUE, "demo", "--seconds", "2"], capture_output=True, text=True, check=False)
    assert outcome.returncode == 2
    assert "--seconds" in outcome.stderr


def test_its_directory_is_not_readable_to_others(tmp_path: Path) -> None:
    source = "import asyncio, stat, os\nfrom streams.demo.supervision import Supervisor\n"
    story = source + (
        "async def main():\n"
        "    async with Supervisor() as supervisor:\n"
        "        print(oct(stat.S_IMODE(os.stat(supervisor.directory).st_mode)))\n"
        "asyncio.run(main())\n"
    )
    environment = base_environment(TMPDIR=str(tmp_path))
    outcome = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, check=True, env=environment)
    assert outcome.stdout.strip() == "0o700"
    assert list(tmp_path.iterdir()) == []
