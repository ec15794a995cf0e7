"""Node's packages, as a folder's lock file names them, in `.cache/npm` of the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.support.run_directory import CHECKOUT, UnavailableServiceError

_CACHE = CHECKOUT / ".cache" / "npm"
_DOWNLOAD_TIMEOUT_S = 600
_FILES = ("package.json", "package-lock.json", ".npmrc")


def npm_packages(folder: Path) -> Path:
    """The directory with `node_modules` of what `folder` locks; downloads it once. Raises `UnavailableServiceError`."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise UnavailableServiceError(
            "no `node` and `npm` on the path: install them (Debian: apt-get install nodejs npm)"
        )
    files = [folder / name for name in _FILES if (folder / name).exists()]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    target = _CACHE / digest
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _install(files, target)
    return target


def _install(files: list[Path], target: Path) -> None:
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for file in files:
        shutil.copy(file, partial)
    outcome = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=partial, capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False,
    )  # fmt: skip
    if outcome.returncode != 0:
        raise UnavailableServiceError(f"`npm ci` could not download the packages: {outcome.stderr[-2000:]}")
    partial.rename(target)
