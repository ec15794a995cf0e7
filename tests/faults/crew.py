"""Workers with somebody who starts each of them again, as an operator's supervisor would."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schemas.errors import EXIT_BUG, EXIT_DONE, EXIT_UNAVAILABLE
from tests.engine.upgrades import VERSION
from tests.faults.failpoints import Action, Trap, Traps
from tests.live.workers import QUICK_GROUP
from tests.support.processes import Commands, StartedCommand
from tests.support.waiting import wait_until

STEPS = {"SEGUE_BATCH_RECORDS_MAX": "50", "SEGUE_TIMERS_PER_COMMIT_MAX": "7", "SEGUE_CONTACTS_CACHED_MAX": "50"}
"""So that there are many commits to die in, and contacts are loaded now and then."""
_LOOK_S = 0.05


@dataclass
class Member:
    """A worker under supervision; another process each time that it was started."""

    process: StartedCommand
    traps: tuple[Trap, ...] = ()
    next_traps: tuple[Trap, ...] = ()  # of the process that is started when this one has ended
    asked_to_end: bool = False
    ends: list[int] = field(default_factory=list)  # exit codes, minus the signal's number for a signal


class Crew:
    """So many workers; one that ends with 75 or by a signal is started again, and any other end is a problem."""

    def __init__(
        self, commands: Commands, directory: Path, size: int = 2, environment: Mapping[str, str] | None = None
    ) -> None:
        self._commands = commands
        self._environment = QUICK_GROUP | STEPS | dict(environment or {})
        self._notes = directory / "sprung"
        self._notes.touch()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._seed = 0
        self.problems: list[str] = []
        self.members = [Member(self._process(())) for _ in range(size)]
        self._thread = threading.Thread(target=self._watch, name="crew", daemon=True)
        self._thread.start()

    @property
    def sprung(self) -> list[tuple[str, str]]:
        """Point and action of every trap that was sprung."""
        lines = [line.split() for line in self._notes.read_text().splitlines()]
        return [(point, action) for point, action in lines]

    def replace(self, number: int, *traps: Trap, by: signal.Signals = signal.SIGKILL) -> Member:
        """End a worker by a signal, and start another one in its place that has these traps on its way."""
        with self._lock:
            member = self.members[number]
            ended = len(member.ends)
            member.next_traps = traps
            member.asked_to_end = by is signal.SIGTERM
            if member.process.returncode is None:
                member.process.signal(signal.SIGCONT)
                member.process.signal(by)
        wait_until(lambda: len(member.ends) > ended, 30, "the worker started again")
        return member

    def upgrade(self, version: int, *traps: Trap) -> None:
        """End all, and start workers of a version to come in their place, with these traps on the way of each."""
        with self._lock:
            self._environment |= {VERSION: str(version)}
        for number in range(len(self.members)):
            self.replace(number, *traps)

    def wait_sprung(self, point: str, action: Action, timeout_s: float = 40) -> None:
        """Wait until a trap was sprung."""
        wait_until(lambda: (point, action) in self.sprung, timeout_s, f"{action} at {point}")

    def kill(self, number: int) -> None:
        """`kill -9`."""
        self.replace(number)

    def pause(self, number: int) -> Member:
        """Let a worker hang."""
        with self._lock:
            member = self.members[number]
            if member.process.returncode is None:
                member.process.pause()
        return member

    def resume_all(self) -> None:
        """Let those that hang go on."""
        with self._lock:
            for member in self.members:
                if member.process.returncode is None:
                    member.process.resume()

    def stop(self) -> None:
        """End all in order; that it was not in order is a problem."""
        self._stopped.set()
        self._thread.join()
        self.resume_all()
        for member in self.members:
            if member.process.returncode is None:
                member.process.signal(signal.SIGTERM)
        for member in self.members:
            if (code := member.process.wait(40)) != EXIT_DONE:
                self._tell(member, code)

    def abandon(self) -> None:
        """Start nobody again. What still runs ends with the commands."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            with self._lock:
                for member in self.members:
                    if (code := member.process.returncode) is not None:
                        self._start_again(member, code)

    def _start_again(self, member: Member, code: int) -> None:
        wanted_bug = code == EXIT_BUG and any(trap.action == "bug" for trap in member.traps)
        wanted_end = code == EXIT_DONE and member.asked_to_end
        if not (code < 0 or code == EXIT_UNAVAILABLE or wanted_bug or wanted_end):
            self._tell(member, code)
        member.traps, member.next_traps, member.asked_to_end = member.next_traps, (), False
        member.process = self._process(member.traps)
        member.ends.append(code)

    def _process(self, traps: tuple[Trap, ...]) -> StartedCommand:
        self._seed += 1
        told = Traps(traps, self._seed, str(self._notes))
        return self._commands.start_module("tests.faults.worker", environment=self._environment | told.environment())

    def _tell(self, member: Member, code: int) -> None:
        last = member.process.stderr.strip().splitlines()[-3:]
        self.problems.append(f"a worker ended with {code}: {' | '.join(last)}")
