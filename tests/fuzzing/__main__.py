"""Feeds one decoder with bytes that grow out of those it takes, led by what of the code they reach.

`python -m tests.fuzzing record --runs 20000 --seed 1`; without a target, all of them one after the other. The same
seed and number of runs draw the same bytes. What a target stumbles over is kept beside the message, and the exit code
is not 0.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["schemas", "streams"]):
    from tests.fuzzing.targets import EVERY, TARGETS, target

INPUT_BYTES_MAX = 4_096
_SLOW_S = 20


def main() -> int:
    """Fuzz what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("target", nargs="?", choices=[*TARGETS, EVERY], help="a decoder")
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if chosen.target is not None:
        _fuzz(chosen.target, chosen.runs, chosen.seed)
        return 0
    failed = [name for name in TARGETS if _fuzz_apart(name, chosen.runs, chosen.seed) != 0]
    if failed:
        print(f"stumbled: {', '.join(failed)}")  # noqa: T201 - what a person waits for
    return 1 if failed else 0


def _fuzz_apart(name: str, runs: int, seed: int) -> int:
    """libFuzzer ends its process with its run."""
    command = [sys.executable, "-m", "tests.fuzzing", name, "--runs", str(runs), "--seed", str(seed)]
    return subprocess.run(command, check=False).returncode


def _fuzz(name: str, runs: int, seed: int) -> None:
    chosen = target(name)
    corpus = Path(tempfile.mkdtemp(prefix=f"segue-fuzzing-{name}-"))
    for number, bytes_ in enumerate(chosen.seeds):
        (corpus / f"{number:03d}").write_bytes(bytes_)
    options = [
        f"-runs={runs}",
        f"-seed={seed}",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-timeout={_SLOW_S}",
        f"-artifact_prefix={corpus}/stumbled-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup([f"fuzzing-{name}", *options, str(corpus)], chosen.read)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
