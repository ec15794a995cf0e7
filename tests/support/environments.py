"""Packages beside the project's own: virtual environments and folders of npm, each made once for its lock file."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.run_directory import UnavailableServiceError

_TIMEOUT_S = 1_200


def python_of(lock: Path, cache: Path) -> Path:
    """The Python of an environment with what a lock file of pip names. Raises `UnavailableServiceError`."""

    def make(home: Path) -> None:
        # This environment's own pip works there too; to give it one takes longer than what it is to install.
        pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "--disable-pip-version-check"]
        _run([sys.executable, "-m", "venv", "--without-pip", str(home)], home)
        _run([*pip, "-q", "install", "--require-hashes", "-r", str(lock)], home)

    return _made([lock], cache, make) / "bin" / "python"


def node_modules_of(folder: Path, cache: Path) -> Path:
    """The `node_modules` with what a `package-lock.json` names. Raises `UnavailableServiceError`."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise UnavailableServiceError(
            "no `node` and `npm` on the path (SDKs of JavaScript run on them; Debian: apt-get install nodejs npm)"
        )
    files = [folder / name for name in ("package.json", "package-lock.json", ".npmrc")]

    def make(home: Path) -> None:
        for file in files:
            shutil.copy(file, home)
        _run(["npm", "ci"], home)

    return _made(files, cache, make) / "node_modules"


def _made(files: list[Path], cache: Path, make: Callable[[Path], None]) -> Path:
    """The folder in the cache that goes with these files, made if it is not there, by one process at a time."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    home = cache / digest
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            sys.stderr.write(f"installing what {files[0].parent.name} needs (once)…\n")
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            make(home)
            (home / "complete").touch()
    return home


def _run(command: list[str], directory: Path) -> None:
    outcome = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if outcome.returncode != 0:
        raise UnavailableServiceError(f"{' '.join(command)} failed: {outcome.stdout}{outcome.stderr}"[-3000:])
