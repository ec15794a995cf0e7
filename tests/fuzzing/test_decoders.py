"""Bytes of strangers: a bounded run over every decoder; `make fuzz` goes further."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzzing import callers
from tests.fuzzing.targets import TARGETS
from tests.support.run_directory import CHECKOUT

RUNS = 20_000
_BROKEN = """
import sys
from tests.fuzzing import __main__ as fuzzing, targets
def read(raw):
    if raw not in (b"", b"seed"):
        raise LookupError
targets.TARGETS["record"] = targets.Target(read, (b"seed",))
sys.argv = ["fuzzing", "record", "--runs", "1000"]
fuzzing.main()
"""


def _run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run whose corpus lies in a directory of the test's."""
    command, environment = [sys.executable, *arguments], {**os.environ, "TMPDIR": str(directory)}
    return subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_no_bytes_make_a_decoder_fail_otherwise_than_it_says(tmp_path: Path) -> None:
    done = _run(tmp_path, "-m", "tests.fuzzing", "every", "--runs", str(RUNS), "--seed", "1")
    assert done.returncode == 0, done.stderr[-4_000:]
    assert f"number_of_executed_units: {RUNS}" in done.stderr


def test_a_decoder_that_fails_is_found_and_told(tmp_path: Path) -> None:
    done = _run(tmp_path, "-c", _BROKEN)
    assert done.returncode != 0
    assert "LookupError" in done.stdout + done.stderr


@pytest.mark.parametrize("name", TARGETS)
def test_the_bytes_that_a_decoder_begins_with_are_some_that_it_reads(name: str) -> None:
    assert TARGETS[name].seeds
    for seed in TARGETS[name].seeds:
        TARGETS[name].read(seed)


@pytest.mark.parametrize("name", [*(f"hook_{provider}" for provider in callers.HOOK_SEEDS), "sns", "form"])
def test_what_is_signed_or_sent_as_it_should_be_is_read_to_its_end(name: str) -> None:
    for seed in TARGETS[name].seeds:
        assert TARGETS[name].read(seed), "else only refusals would be fed"
