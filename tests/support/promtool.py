"""Prometheus' own tool that checks and evaluates rules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.run_directory import CHECKOUT

_OURS = CHECKOUT / ".cache" / "promtool"


def promtool(*arguments: str | Path) -> str:
    """What it says of `promtool ARGUMENTS`, which must succeed."""
    program = shutil.which("promtool") or str(_OURS)
    if not Path(program).is_file():
        pytest.fail("the tests need promtool, which comes with Prometheus: `.ci/run` gets it", pytrace=False)
    outcome = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout
