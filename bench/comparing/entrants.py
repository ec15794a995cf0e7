"""Contenders as processes: started apart, asked to end, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bench.contenders.environments import interpreter
from bench.contenders.roster import Contender
from bench.contenders.terms import Terms
from tests.support.compiled import compiled_tree
from tests.support.processes import SEGUE, base_environment
from tests.support.run_directory import CHECKOUT, RunDirectory

_END_TIMEOUT_S = 20


class Entrant:
    """The processes of one contender in one run."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._log = run.subdirectory("entrant") / "log"
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start one process, in a session of its own; it writes to the entrant's log."""
        with self._log.open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=self._log.parent,
                start_new_session=True,
            )
        self._run.note_process(child.pid)
        self._children.append(child)

    @property
    def pids(self) -> list[int]:
        """Of its processes."""
        return [child.pid for child in self._children]

    @property
    def ended(self) -> bool:
        """One of its processes ended by itself."""
        return any(child.poll() is not None for child in self._children)

    def tail(self, lines: int = 30) -> str:
        """The end of what it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def end(self) -> None:
        """Ask all to end, wait a while, and kill what is left of them."""
        for child in self._children:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
        for child in self._children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_END_TIMEOUT_S)
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait(_END_TIMEOUT_S)


def python_of(contender: Contender) -> Path:
    """The interpreter that a contender runs on."""
    return Path(sys.executable) if contender.folder is None else interpreter(contender.folder)


def start(contender: Contender, python: Path, run: RunDirectory, terms: Terms, namespace: str) -> Entrant:
    """Start a contender on its terms; Segue finds its topics by its namespace."""
    entrant = Entrant(run)
    if contender.folder is None:
        variables = {
            "SEGUE_KAFKA_BOOTSTRAP_SERVERS": terms.servers,
            "SEGUE_REDIS_URL": terms.redis_url,
            "SEGUE_NAMESPACE": namespace,
        }
        if contender.compiled:
            variables["PYTHONPATH"] = str(compiled_tree())
        command = [SEGUE, "worker"]
    else:
        variables = {**terms.variables(), "PYTHONPATH": str(CHECKOUT)}
        module = f"bench.contenders.{contender.folder}.main"
        command = [str(python), "-m", module, *contender.arguments]
    for _ in range(contender.processes):
        entrant.start(command, base_environment(**variables))
    return entrant
