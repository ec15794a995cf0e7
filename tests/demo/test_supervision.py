"""The supervisor: what it starts serves, what it started is gone afterwards, whatever happened."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.demo.supervision import Program, ProgramFailedError, Running, Supervisor
from streams.embedded.guard import is_running
from tests.support.processes import base_environment
from tests.support.waiting import wait_until

SLEEPER = [sys.executable, "-u", "-c", "import time; print('up'); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-u",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)",
]
WITH_CHILD = [
    sys.executable,
    "-u",
    "-c",
    "import subprocess, sys, time; c = subprocess.Popen(['sleep', '600']); print('child', c.pid); time.sleep(600)",
]


async def is_up(running: Running) -> bool:
    return running.output.startswith(("up", "child"))


def test_a_started_program_is_ready_runs_in_a_session_of_its_own_and_ends_with_the_supervisor() -> None:
    async def story() -> tuple[int, Path]:
        async with Supervisor() as supervisor:
            sleeper = await supervisor.start(Program("sleeper", SLEEPER, ready=is_up))
            supervisor.check()
            assert sleeper.output == "up\n"
            assert os.getsid(sleeper.pid) == sleeper.pid
            return sleeper.pid, supervisor.directory

    pid, directory = asyncio.run(story())
    assert not is_running(pid)
    assert not directory.exists()


def test_programs_end_in_reverse_order(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    note_the_end = (
        "import os, signal, sys, time\n"
        "def end(*_):\n"
        "    with open(os.environ['NOTES'], 'a') as notes: notes.write(sys.argv[1])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up')\n"
        "time.sleep(600)\n"
    )

    async def story() -> None:
        async with Supervisor() as supervisor:
            for name in ("1", "2", "3"):
                command = [sys.executable, "-u", "-c", note_the_end, name]
                await supervisor.start(Program(name, command, {"NOTES": str(notes)}, is_up))

    asyncio.run(story())
    assert notes.read_text() == "321"


def test_a_program_that_ignores_sigterm_and_the_children_of_a_program_are_killed() -> None:
    async def story() -> list[int]:
        async with Supervisor() as supervisor:
            stubborn = await supervisor.start(Program("stubborn", STUBBORN, ready=is_up, stop_timeout_s=0.2))
            parent = await supervisor.start(Program("parent", WITH_CHILD, ready=is_up))
            child = re.search(r"child (\d+)", parent.output)
            assert child is not None
            return [stubborn.pid, parent.pid, int(child[1])]

    stubborn_pid, parent_pid, child_pid = asyncio.run(story())
    wait_until(lambda: not is_running(stubborn_pid), 5, "the end of the stubborn one")
    wait_until(lambda: not is_running(parent_pid), 5, "the end of the group")
    wait_until(lambda: not Path(f"/proc/{child_pid}").exists() or "Z" in state_of(child_pid), 5, "the child's end")


def state_of(pid: int) -> str:
    outcome = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return outcome.stdout


def test_a_program_that_ends_while_it_runs_is_reported_with_its_last_lines_and_the_logs_are_kept() -> None:
    command = [sys.executable, "-u", "-c", "print('up'); input(); raise SystemExit('the disk is on fire')"]

    async def story(supervisor: Supervisor) -> None:
        async with supervisor:
            (supervisor.scratch("redis") / "state").write_text("…")
            broken = await supervisor.start(Program("broken", command, ready=is_up))
            await broken.ended_within(10)
            supervisor.check()

    supervisor = Supervisor()
    with pytest.raises(ProgramFailedError, match=r"broken ended with code 1; its last lines:\n(.|\n)*EOFError"):
        asyncio.run(story(supervisor))
    assert supervisor.kept_logs is not None
    assert [path.name for path in supervisor.directory.iterdir()] == ["logs"]
    assert "EOFError" in (supervisor.kept_logs / "broken.log").read_text()
    shutil.rmtree(supervisor.directory)


def test_a_program_that_ends_before_it_is_ready_or_never_gets_ready_is_reported() -> None:
    async def never(_running: Running) -> bool:
        return False

    async def story(program: Program) -> None:
        supervisor = Supervisor()
        try:
            await supervisor.start(program)
        finally:
            await supervisor.close()

    failing = Program("failing", [sys.executable, "-c", "raise SystemExit(3)"], ready=never)
    with pytest.raises(ProgramFailedError, match="failing ended with code 3 while starting"):
        asyncio.run(story(failing))
    with pytest.raises(ProgramFailedError, match=r"slow was not ready within 0\.3 s"):
        asyncio.run(story(Program("slow", SLEEPER, ready=never, start_timeout_s=0.3)))


def test_a_port_that_was_taken_meanwhile_is_given_up_for_another() -> None:
    listen = "import socket, sys, time; s = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); "
    command = [sys.executable, "-u", "-c", f"{listen}s.listen(); print('up'); time.sleep(600)"]
    offered: list[int] = []

    async def story() -> int:
        async with Supervisor() as supervisor:
            _, taken = await supervisor.start_on_free_port(
                lambda port: Program("first", [*command, str(port)], ready=is_up)
            )

            def second(port: int) -> Program:
                offered.append(port)
                return Program("second", [*command, str(taken if len(offered) == 1 else port)], ready=is_up)

            server, port = await supervisor.start_on_free_port(second)
            assert server.exit_code is None
            return port

    assert asyncio.run(story()) == offered[1]
    assert len(offered) == 2


def test_a_command_that_is_run_returns_its_output_or_is_reported() -> None:
    async def story() -> str:
        async with Supervisor() as supervisor:
            output = await supervisor.run(Program("once", ["/bin/echo", "done", "it"]))
            supervisor.check()  # its end is no failure
            return output

    assert asyncio.run(story()) == "done it\n"


def test_a_supervisor_that_is_killed_leaves_no_process_and_no_directory() -> None:
    story = (
        "import asyncio, sys\n"
        "from streams.demo.supervision import Program, Supervisor\n"
        "async def main():\n"
        "    supervisor = Supervisor()\n"
        f"    sleeper = await supervisor.start(Program('sleeper', {SLEEPER!r}))\n"
        f"    stubborn = await supervisor.start(Program('stubborn', {STUBBORN!r}))\n"
        "    print(supervisor.directory, sleeper.pid, stubborn.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", story], stdout=subprocess.PIPE, text=True, env=base_environment())
    assert killed.stdout is not None
    directory, *pids = killed.stdout.readline().split()
    assert Path(directory).exists()
    assert all(is_running(int(pid)) for pid in pids)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    killed.stdout.close()
    wait_until(lambda: not any(is_running(int(pid)) for pid in pids), 15, "the end of the programs")
    wait_until(lambda: not Path(directory).exists(), 15, "the end of the directory")
