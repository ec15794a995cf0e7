"""The virtual environment of a contender, made once for each version of its lock file."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.environments import python_of
from tests.support.run_directory import CHECKOUT

CONTENDERS = Path(__file__).parent
_CACHE = CHECKOUT / ".cache" / "bench" / "environments"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)


def interpreter(folder: str) -> Path:
    """The Python of a contender's environment, which is made if need be. Raises `UnavailableServiceError`."""
    return python_of(_lock(folder), _CACHE / folder)


def _lock(folder: str) -> Path:
    return CONTENDERS / folder / "requirements.lock"


def version(folder: str, package: str) -> str:
    """The version of a package that a contender's lock file names."""
    pinned: dict[str, str] = dict(_PINNED.findall(_lock(folder).read_text()))
    return pinned[package]
