"""The virtual environment of a contender, made once for each version of its lock file."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.run_directory import CHECKOUT

CONTENDERS = Path(__file__).parent
_CACHE = CHECKOUT / ".cache" / "bench" / "environments"
_TIMEOUT_S = 1_200
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)


class MissingPackagesError(Exception):
    """The packages of a contender could not be installed; the text says why."""


def interpreter(folder: str) -> Path:
    """The Python of a contender's environment, which is made if need be. Raises `MissingPackagesError`."""
    lock = _lock(folder)
    home = _CACHE / f"{folder}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    python = home / "bin" / "python"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{folder}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            _make(home, python, lock)
    return python


def _make(home: Path, python: Path, lock: Path) -> None:
    sys.stderr.write(f"installing what {lock.parent.name} needs (once)…\n")
    shutil.rmtree(home, ignore_errors=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", "install", "--require-hashes", "-r"]
    for command in ([sys.executable, "-m", "venv", str(home)], [*pip, str(lock)]):
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        if outcome.returncode != 0:
            raise MissingPackagesError(f"{' '.join(command)} failed: {outcome.stdout}{outcome.stderr}"[-3000:])
    (home / "complete").touch()


def _lock(folder: str) -> Path:
    return CONTENDERS / folder / "requirements.lock"


def version(folder: str, package: str) -> str:
    """The version of a package that a contender's lock file names."""
    pinned: dict[str, str] = dict(_PINNED.findall(_lock(folder).read_text()))
    return pinned[package]
