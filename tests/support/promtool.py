"""Prometheus' own tool that checks and evaluates rules: from the path, else out of Debian's package, into `.cache`."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.run_directory import CHECKOUT, UnavailableServiceError

_CACHE = CHECKOUT / ".cache"
_OURS = _CACHE / "promtool"
_TIMEOUT_S = 300


def promtool(*arguments: str | Path) -> str:
    """What it says of `promtool ARGUMENTS`, which must succeed."""
    try:
        program = shutil.which("promtool") or _fetched()
    except UnavailableServiceError as error:
        pytest.fail(f"the tests need promtool, which comes with Prometheus: {error}", pytrace=False)
    outcome = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def _fetched() -> Path:
    """Taken out of the package once; to install that would start a server on this machine."""
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / "promtool.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _OURS.exists():
            if shutil.which("apt-get") is None:
                raise UnavailableServiceError("install it, or have apt-get on the path")
            with tempfile.TemporaryDirectory() as scratch:
                _unpack(Path(scratch))
    return _OURS


def _unpack(scratch: Path) -> None:
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if _ran(["apt-get", "download", "-qq", "prometheus"], scratch) is not None:
        _ran([*as_root, "apt-get", "update", "-qq"], scratch)  # a fresh machine has no lists yet
        reason = _ran(["apt-get", "download", "-qq", "prometheus"], scratch)
        if reason is not None:
            raise UnavailableServiceError(f"it is not on the path, and apt-get did not bring it: {reason}")
    (package,) = scratch.glob("prometheus_*.deb")
    reason = _ran(["dpkg-deb", "-x", str(package), "."], scratch)
    if reason is not None:
        raise UnavailableServiceError(f"its package does not open: {reason}")
    shutil.move(scratch / "usr" / "bin" / "promtool", _OURS)


def _ran(command: list[str], where: Path) -> str | None:
    """What went wrong; None where all went well."""
    try:
        outcome = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except OSError as error:
        return str(error)
    return None if outcome.returncode == 0 else outcome.stderr.strip()
