"""py-spy in an environment of its own, made once for each version of its lock file."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from bench.tables import progress
from tests.support.run_directory import CHECKOUT

_LOCK = Path(__file__).with_name("requirements.lock")
_CACHE = CHECKOUT / ".cache" / "bench" / "profile"
_TIMEOUT_S = 600


def py_spy() -> Path:
    """The program; installed where it is not yet."""
    home = _CACHE / hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]
    program = home / "bin" / "py-spy"
    if not program.exists():
        progress("installing py-spy (once)")
        shutil.rmtree(home, ignore_errors=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        for command in (
            [sys.executable, "-m", "venv", str(home)],
            [*pip, "--require-hashes", "-r", str(_LOCK)],
        ):
            outcome = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
            assert outcome.returncode == 0, f"{' '.join(command)} failed: {outcome.stdout}{outcome.stderr}"
    return program
