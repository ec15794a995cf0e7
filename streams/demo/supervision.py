"""Programs of a demo as child processes: started, waited for, watched, ended in reverse, nothing left behind.

    async with Supervisor() as supervisor:
        redis = await supervisor.start(Program("redis", command, ready=serves))
        await supervisor.run(Program("apply", ["segue", "apply", …]))
        …
        supervisor.check()  # raises ProgramFailedError once one of them has ended

Each program has a session of its own, so that Ctrl-C in a terminal reaches the demo alone. Output goes to one
file a program in a directory that is removed at the end; after a failure the logs, and only they, are kept. A
guard process (`streams.embedded.guard`) does the same when the supervisor is killed and cannot.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas.errors import SegueError, UnavailableError

START_ATTEMPTS = 3
"""How often a program is started that found its port taken."""
_PAUSE_S = 0.05
_KILL_TIMEOUT_S = 5.0
_TAIL_LINES = 15
# The shell notes its own number with the guard, on its standard input, and then becomes the program.
_NOTE_AND_BECOME = 'echo "+$$" >&0 && exec "$@" </dev/null'


@dataclass(frozen=True, slots=True)
class Program:
    """What to start, and how to see that it serves."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """All variables that it gets beside the supervisor's own without `SEGUE_`."""
    ready: Callable[[Running], Awaitable[bool]] | None = None
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 15.0


class ProgramFailedError(UnavailableError):
    """A program ended, or did not get ready; the text ends with the last lines that it wrote."""

    def __init__(self, what: str, running: Running) -> None:
        self.tail = running.tail()
        super().__init__(f"{running.name} {what}; its last lines:\n{self.tail or '(it wrote nothing)'}")


class Running:
    """A program that was started."""

    def __init__(self, program: Program, child: subprocess.Popen[bytes], log: Path) -> None:
        self.name = program.name
        self.program = program
        self._child = child
        self._log = log

    @property
    def pid(self) -> int:
        """Also the number of its process group."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self._child.poll()

    @property
    def output(self) -> str:
        """All that it has written to standard output and error so far."""
        return self._log.read_text(errors="replace")

    def tail(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.output.splitlines()[-_TAIL_LINES:])

    async def ended_within(self, timeout_s: float) -> bool:
        """Wait for its end; whether it came in time."""
        deadline = time.monotonic() + timeout_s
        while self.exit_code is None and time.monotonic() < deadline:
            await asyncio.sleep(_PAUSE_S)
        return self.exit_code is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the one process."""
        if self.exit_code is None:
            self._child.send_signal(number)

    def kill_group(self) -> None:
        """SIGKILL to the process and all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_KILL_TIMEOUT_S)


class Supervisor:
    """Starts programs and answers for them; use it as `async with`."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="segue-demo-"))
        self.kept_logs: Path | None = None
        """Where the logs are, after an end with a failure."""
        self.exit_codes: dict[str, int] = {}
        """Of programs that were ended, by name; minus the signal's number where one had to be killed."""
        self._logs = self.directory / "logs"
        self._logs.mkdir()
        self._running: list[Running] = []
        self._guard = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "streams.embedded.guard", str(self.directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whatever else ends the caller (a signal, its terminal gone) is not told by the programs' logs.
        await self.close(keep_logs=isinstance(error, SegueError))

    def scratch(self, name: str) -> Path:
        """A new directory that goes with the supervisor."""
        path = self.directory / name
        path.mkdir()
        return path

    async def start(self, program: Program) -> Running:
        """Start it and return when it is ready. Raises `ProgramFailedError` if it ends or takes too long."""
        running = self._spawn(program)
        deadline = time.monotonic() + program.start_timeout_s
        while program.ready is not None and not await program.ready(running):
            if running.exit_code is not None:
                await self._stop(running)
                raise ProgramFailedError(f"ended with code {running.exit_code} while starting", running)
            if time.monotonic() > deadline:
                raise ProgramFailedError(f"was not ready within {program.start_timeout_s:g} s", running)
            await asyncio.sleep(_PAUSE_S)
        return running

    async def start_on_free_port(self, program_on: Callable[[int], Program]) -> tuple[Running, int]:
        """Start what `program_on` makes of a free loopback port; on another one where that was just taken."""
        for attempt in range(1, START_ATTEMPTS + 1):
            port = free_port()
            try:
                return await self.start(program_on(port)), port
            except ProgramFailedError as error:
                if attempt == START_ATTEMPTS or "already in use" not in error.tail:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def run(self, program: Program) -> str:
        """Run it to its end and return its output. Raises `ProgramFailedError` if it fails or takes too long."""
        running = self._spawn(program)
        ended = await running.ended_within(program.start_timeout_s)
        await self._stop(running)
        if not ended:
            raise ProgramFailedError(f"did not end within {program.start_timeout_s:g} s", running)
        if running.exit_code != 0:
            raise ProgramFailedError(f"ended with code {running.exit_code}", running)
        return running.output

    def check(self) -> None:
        """Raises `ProgramFailedError` if a started program has ended, or the guard."""
        for running in self._running:
            if running.exit_code is not None:
                raise ProgramFailedError(f"ended with code {running.exit_code}", running)
        if self._guard.poll() is not None:
            raise UnavailableError("the demo's guard process was ended by somebody; so the demo ends too")

    async def stop(self, running: Running) -> None:
        """End one of the programs in order, and no longer answer for it."""
        await self._stop(running)

    async def close(self, keep_logs: bool = False) -> None:
        """End every program, the last started first, then the guard; remove the directory, or all but the logs.

        Does nothing the second time.
        """
        assert self._guard.stdin is not None
        if self._guard.stdin.closed:
            return
        for running in reversed(self._running.copy()):
            await self._stop(running)
        if keep_logs:
            self._note("keep")
            self.kept_logs = self._logs
            for path in self.directory.iterdir():
                if path != self._logs:
                    shutil.rmtree(path, ignore_errors=True)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        self._guard.stdin.close()
        self._guard.wait(_KILL_TIMEOUT_S)

    def kill(self) -> None:
        """End every program at once, for when there is no patience left; `close` is still to be called."""
        for running in self._running:
            running.kill_group()

    def _spawn(self, program: Program) -> Running:
        self.check()
        log = self._logs / f"{program.name.replace(' ', '-')}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
        with log.open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 - the caller names the command; no shell reads its words
                ["/bin/sh", "-c", _NOTE_AND_BECOME, program.name, *program.command],
                stdin=self._guard.stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=inherited | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1"} | dict(program.environment),
                cwd=self.directory,
                start_new_session=True,
            )
        running = Running(program, child, log)
        self._running.append(running)
        return running

    async def _stop(self, running: Running) -> None:
        running.signal(signal.SIGTERM)
        await running.ended_within(running.program.stop_timeout_s)
        running.kill_group()
        if running in self._running:
            self._running.remove(running)
            self._note(f"-{running.pid}")
            if running.exit_code is not None:
                self.exit_codes[running.name] = running.exit_code

    def _note(self, line: str) -> None:
        assert self._guard.stdin is not None
        with suppress(BrokenPipeError):
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
