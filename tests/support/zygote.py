"""Processes that begin with what they need imported: forked from one that has imported it and does nothing else.

What a `segue …` command imports takes it longer than most of them run, and a run of the tests starts many hundreds.
A zygote is one process for each command (`streams.cli.apply`) that has imported its module, as `segue` itself does
before it parses arguments; each start of that command is a fork of it, with the arguments, the environment, the
directory, the files and the session of its own. A zygote has one thread and has opened nothing.

`python -m tests.support.zygote FD MODULE` is a zygote; it ends with the other end of the socket FD.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from tests.support.run_directory import CHECKOUT
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Start:
    """How a process starts: as `segue`, or as `python -m main`. The first of the arguments is the program's name."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    stdout: str
    stderr: str
    main: str | None = None


class Zygote:
    """One that has a module imported, and the processes that came from it. Any thread may ask."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), module],
                stdin=subprocess.DEVNULL,
                env=dict(environment),
                cwd=CHECKOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.pid = self._child.pid
        self._channel = ours.makefile("rw")
        self._asking = threading.Lock()

    def start(self, start: Start) -> Forked:
        """A new process, which is in a session of its own by then, and has opened its files."""
        pid = self.ask(asdict(start))
        assert pid is not None
        return Forked(self, pid)

    def ask(self, question: object) -> int | None:
        """Its answer to what `_serve` understands."""
        with self._asking:
            self._channel.write(json.dumps(question) + "\n")
            self._channel.flush()
            answer = self._channel.readline()
        assert answer, f"the zygote {self.pid} ended with {self._child.poll()}"
        found: int | None = json.loads(answer)
        return found


class Forked:
    """A process that came from a zygote, with what tests use of `Popen`."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self._zygote = zygote
        self._code: int | None = None
        self._polling = threading.Lock()
        self.pid = pid

    def poll(self) -> int | None:
        """The exit code, or minus the number of the signal that ended it; None while it runs."""
        # Only this reaps it, so that its number stays its own until then; and it is reaped once, whoever asks.
        with self._polling:
            if self._code is None:
                self._code = self._zygote.ask({"poll": self.pid})
            return self._code

    def wait(self, timeout: float) -> int:
        """Wait so many seconds for its end, and return the exit code."""
        wait_until(lambda: self.poll() is not None, timeout, f"the end of process {self.pid}")
        assert self._code is not None
        return self._code


def _serve(channel: socket.socket) -> Start:
    """Answer until the other end is closed, which ends the process; returns in each process that starts."""
    with channel, channel.makefile("rw") as lines:
        for line in lines:
            asked = json.loads(line)
            if "poll" in asked:
                pid, status = os.waitpid(asked["poll"], os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if pid else None
            else:
                told, telling = os.pipe()
                answer = os.fork()
                if answer == 0:
                    os.close(told)
                    start = Start(**asked)
                    _become(start, telling)
                    return start
                os.close(telling)
                # Returns when it is in its session, so that what is noted of it may be killed, and its files are there.
                os.read(told, 1)
                os.close(told)
            lines.write(json.dumps(answer) + "\n")
            lines.flush()
    sys.exit()


def _become(start: Start, telling: int) -> None:
    os.setsid()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path in ((1, start.stdout), (2, start.stderr)):
        opened = os.open(path, flags, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    os.close(telling)
    os.chdir(start.directory)
    os.environ.clear()
    os.environ.update(start.environment)
    sys.argv = list(start.arguments)
    # As Python does it: the directory of the script, or the working directory for a module.
    sys.path[0] = str(Path(start.arguments[0]).parent) if start.main is None else start.directory


def _run(start: Start) -> NoReturn:
    if start.main is None:
        from streams.cli import main  # noqa: PLC0415 - what the script `segue` does

        main()
        sys.exit()
    runpy.run_module(start.main, run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    importlib.import_module("streams.cli")
    importlib.import_module(sys.argv[2])
    # `python -m` runs a module that nobody has imported before.
    if not sys.argv[2].startswith(("streams.", "consumers.")):
        del sys.modules[sys.argv[2]]
    _run(_serve(socket.socket(fileno=int(sys.argv[1]))))
