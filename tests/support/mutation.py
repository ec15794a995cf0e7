"""`make mutation`: runs mutmut over the core, and prints what no test noticed.

mutmut keeps its work in `mutants/` and goes on from there. Names of mutants are those of functions, so arguments such
as `streams.segmentation.windows*` choose modules; of these, what survived is tried once more. After a change of the
core remove `mutants/`. This module is also a plugin of pytest for these runs.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import click
import pytest

WORK = Path("mutants")
SURVIVED = {0: "survived", 33: "no test runs it"}
"""Exit codes of tests over a mutant that are worth a line. A test that fails or never ends has noticed it."""
_MUTANT = re.compile(r"(?P<function>.+)__mutmut_(?P<number>\d+)")


def pytest_itemcollected(item: pytest.Item) -> None:
    """mutmut reads the id of a test by the name that it had before pytest 9."""
    item.__dict__["_nodeid"] = item.nodeid


def _functions(path: Path) -> dict[str, list[str]]:
    """The lines of every function of a module that mutmut wrote, by name."""
    lines = path.read_text().splitlines()
    found = {}
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef):
            body = lines[node.lineno - 1 : node.end_lineno]
            found[node.name] = [line.replace(node.name, node.name.partition("__mutmut_")[0]) for line in body]
    return found


def _line_of(source: list[str], original: list[str], place: int) -> int:
    """The line in the source of one line of a function."""
    body = [line.strip() for line in original[1:]]
    for number in range(len(source) - len(body) + 1):
        if [line.strip() for line in source[number : number + len(body)]] == body:
            return number + place
    return 0


def survivors(module: Path) -> Iterator[str]:
    """What no test noticed in a module: `path:line  old -> new (how it ended)`."""
    codes: dict[str, int | None] = json.loads((WORK / f"{module}.meta").read_text())["exit_code_by_key"]
    source, functions = module.read_text().splitlines(), _functions(WORK / module)
    for name, code in codes.items():
        match = _MUTANT.fullmatch(name.rpartition(".")[2])
        if code not in SURVIVED or match is None:
            continue
        original = functions[f"{match['function']}__mutmut_orig"]
        changed = functions[match[0]]
        for kind, start, end, new_start, new_end in difflib.SequenceMatcher(None, original, changed).get_opcodes():
            if kind != "equal":
                old, new = (
                    " ".join(line.strip() for line in part)
                    for part in (original[start:end], changed[new_start:new_end])
                )
                yield f"{module}:{_line_of(source, original, start)}  {old}  ->  {new}  ({SURVIVED[code]}, {name})"


def _left(patterns: tuple[str, ...]) -> list[str]:
    """What is left to do of the mutants chosen: mutmut itself would begin again with all that it is given by name."""
    known: dict[str, int | None] = {}
    for meta in WORK.rglob("*.meta"):
        known |= json.loads(meta.read_text())["exit_code_by_key"]
    if not known:
        return list(patterns)
    chosen = [name for name in known if any(fnmatch(name, pattern) for pattern in patterns)]
    return [name for name in chosen if known[name] is None or known[name] in SURVIVED]


@click.command()
@click.argument("mutants", nargs=-1)
@click.option("--show", is_flag=True, help="Only print what is known so far.")
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True)
def main(mutants: tuple[str, ...], show: bool, processes: int) -> None:
    """Change the core in one place after the other, and see whether a test fails."""
    names = _left(mutants)
    # A fixed draw without shrinking: a mutant that one test kills needs no smallest case.
    environment = os.environ | {"SEGUE_FUZZ_SEED": "1", "SEGUE_FUZZ_DRAWS": "120", "SEGUE_FUZZ_SHRINK": "0"}
    if not show and (names or not mutants):
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(processes), *names]
        outcome = subprocess.run(command, env=environment, check=False)
        if outcome.returncode != 0:
            raise SystemExit(outcome.returncode)
    for meta in sorted(WORK.rglob("*.meta")):
        for line in survivors(meta.relative_to(WORK).with_suffix("")):
            click.echo(line)


if __name__ == "__main__":
    main()
