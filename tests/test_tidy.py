"""Rules that no other tool holds: sizes, what tests may not do, and what may stand in no committed file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.run_directory import CHECKOUT

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
PACKAGES = ("schemas/", "streams/", "consumers/", "ops/examples/")
TEST_MODULE_LINES_MAX = 400
# A measurement keeps to a pace; in the simulation time is a number.
MAY_PAUSE = ("tests/support/waiting.py", "bench/", "tests/simulation/")
VAGUE_NAMES = {"manager", "helper", "helpers", "util", "utils", "handler", "handlers", "data", "info", "misc", "common"}
# Pieces, so that this file does not hold what it looks for.
HOME_DIRECTORIES = ("work", "root", "home", "Users")
MARKS = ("skip", "skipif", "xfail", "importorskip")
INDEX = re.compile(
    r"https?://[^\s\"')>]*(pypi|pythonhosted|mvn|maven|npmjs|artifactory|nexus|simple/)|(?<!emit-)index[-]url"
)
MACHINE_PATH = re.compile(rf"(?<![\w.~-])/(?:{'|'.join(HOME_DIRECTORIES)})/\w")
POM_NAMESPACE = re.compile(r"http://[m]aven\.apache\.org/POM/4\.0\.0")
BARE_NOQA = re.compile(r"# (noqa(: ?[A-Z0-9, ]+)?|type: ignore(\[[\w, -]+\])?)\s*$", re.MULTILINE)


def committed() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.splitlines() if (CHECKOUT / name).is_file()]


FILES = committed()
MODULES = [name for name in FILES if name.endswith(".py")]
OURS = [name for name in MODULES if name.startswith(tuple(f"{package}/" for package in PACKAGES))]
TESTS = [name for name in MODULES if name.startswith(("tests/", "bench/"))]


def text_of(name: str) -> str:
    return (CHECKOUT / name).read_text(errors="replace")


def trees(names: list[str]) -> Iterator[tuple[str, ast.AST]]:
    for name in names:
        for node in ast.walk(ast.parse(text_of(name))):
            yield name, node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, which for a command is its help text."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        assert docstring.end_lineno is not None
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def test_a_module_is_short_enough_to_be_read() -> None:
    bounds = {name: TEST_MODULE_LINES_MAX if name in TESTS else MODULE_LINES_MAX for name in MODULES}
    lines = {name: len(text_of(name).splitlines()) for name in MODULES}
    long = [f"{name}: {lines[name]} lines" for name in MODULES if lines[name] >= bounds[name]]
    assert not long, "\n".join(long)


def test_a_function_is_short_enough_to_be_read() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}"
        for name, node in trees(OURS)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) >= FUNCTION_LINES_MAX
    ]
    assert not long, "\n".join(long)


def test_a_module_is_named_after_what_it_is_about() -> None:
    stems = {Path(name).stem for name in OURS} - {"__init__", "__main__"}
    assert stems & VAGUE_NAMES == set()
    assert stems & sys.stdlib_module_names == set()


def test_a_test_waits_for_a_condition_and_not_for_a_time() -> None:
    pauses = [
        f"{name}:{node.lineno}"
        for name, node in trees([name for name in TESTS if not name.startswith(MAY_PAUSE)])
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] == "sleep"
        and ast.unparse(node) != "asyncio.sleep(0)"  # gives way, and waits for nothing
    ]
    assert not pauses, "\n".join(pauses)


def test_no_test_is_left_out() -> None:
    left_out = [
        f"{name}:{node.lineno}"
        for name, node in trees(TESTS)
        if isinstance(node, ast.Attribute) and node.attr in MARKS and ast.unparse(node).startswith("pytest.")
    ]
    assert not left_out, "\n".join(left_out)


def test_what_a_tool_is_told_to_pass_over_has_a_reason() -> None:
    bare = [
        f"{name}:{number}"
        for name in MODULES
        for number, line in enumerate(text_of(name).splitlines(), start=1)
        if BARE_NOQA.search(line)
    ]
    assert not bare, "\n".join(bare)


def test_no_file_names_a_package_index_or_a_directory_of_somebody_s_machine() -> None:
    found = [
        f"{name}: {match[0]}"
        for name in FILES
        for pattern in (INDEX, MACHINE_PATH)
        for match in pattern.finditer(POM_NAMESPACE.sub("", text_of(name)))
    ]
    assert not found, "\n".join(found)


def test_the_layers_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    outcome = subprocess.run([str(linter), "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout
