"""The checkout with its core compiled: a copy under `.cache/compiled`, made anew whenever a file of it changes.

`python -m tests.support.compiled` makes it and prints where it lies; programs that have it first on their path
(`PYTHONPATH`) run the compiled core. The checkout itself stays as it is, so no stale machine code can hide a change.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.run_directory import CHECKOUT, UnavailableServiceError

_CACHE = CHECKOUT / ".cache" / "compiled"
_PARTS = ("schemas", "streams", "consumers", "tests", "bench", "ops")
_FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "Makefile", "docker-compose.yml")
_TIMEOUT_S = 900
KEPT = 2
"""Copies that are kept, the newest."""


def compiled_tree() -> Path:
    """Where the copy lies. Raises `UnavailableServiceError` when it cannot be made."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(_sources()):
        digest.update(str(path.relative_to(CHECKOUT)).encode() + b"\0" + path.read_bytes() + b"\0")
    target = _CACHE / digest.hexdigest()[:16]
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _make(target)
            _forget_older(target)
    return target


def _sources() -> list[Path]:
    found = [path for part in _PARTS for path in (CHECKOUT / part).rglob("*") if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts] + [CHECKOUT / name for name in _FILES]


def _make(target: Path) -> None:
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for path in _sources():
        copy = partial / path.relative_to(CHECKOUT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    outcome = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=partial, env=os.environ | {"SEGUE_COMPILED": "1"}, capture_output=True, text=True, timeout=_TIMEOUT_S,
        check=False,
    )  # fmt: skip
    if outcome.returncode != 0:
        raise UnavailableServiceError(
            "the core could not be compiled (a C compiler and Python's headers are needed): "
            f"{outcome.stdout[-2000:]}{outcome.stderr[-2000:]}"
        )
    shutil.rmtree(partial / "build", ignore_errors=True)
    partial.rename(target)


def _forget_older(newest: Path) -> None:
    copies = sorted((path for path in _CACHE.iterdir() if path.is_dir() and path != newest), key=_age)
    for path in copies[: -(KEPT - 1)]:
        shutil.rmtree(path, ignore_errors=True)


def _age(path: Path) -> float:
    return path.stat().st_mtime


if __name__ == "__main__":
    sys.stdout.write(f"{compiled_tree()}\n")
