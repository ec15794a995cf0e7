"""Whatever stands in a file, the answer is definitions or a list of problems that lie in the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.definition_files.reading import Source, compile_source
from streams.segmentation import Definitions, DefinitionsError, compile_definitions, parse_canonical
from streams.segmentation.problems import Findings, above
from streams.segmentation.references import Place, in_order
from tests.definition_files.corpus import admits, with_text_keys
from tests.definition_files.junk import EVERYTHING, TREES, paths, slips
from tests.oracle.drawn_files import files

DRAWS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
JSON_VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 1001), st.floats(-10, 10), st.sampled_from(["7d", "x", "0d", ""])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["event", "when"]), inner)),
    max_leaves=4,
)
OURS = ("expected", "unknown key", "unknown condition")


Found: TypeAlias = Definitions | DefinitionsError
T = TypeVar("T")


def of(read: Callable[[T], Definitions], value: T) -> Found:
    """What a reader of definitions makes of a value."""
    try:
        return read(value)
    except DefinitionsError as error:
        return error


def outcome(data: Any) -> Found:
    return of(compile_definitions, data)


def assert_that_problems_lie_in(data: Any, found: Found) -> None:
    known = set(paths(data))
    for problem in (*(found.problems if isinstance(found, DefinitionsError) else ()), *found.warnings):
        assert {problem.path, ["", *above(problem.path)][-1]} & known
        assert str(problem)
    if isinstance(found, DefinitionsError):
        assert found.problems
        assert all(problem.expected.startswith(OURS) for problem in found.problems)


@DRAWS
@given(TREES)
def test_any_tree_is_answered_with_problems_in_it(data: Any) -> None:
    assert_that_problems_lie_in(data, outcome(data))


@DRAWS
@given(TREES)
def test_any_parts_of_a_file_are_answered_with_problems_in_them(part: Any) -> None:
    for data in (
        {"version": 1, "segments": {"s": {"when": part}}},
        {"version": 1, "segments": {"s": part}, "scores": {"e": part}},
        {"version": 1, "scores": {"e": {"points": part}}, "lists": part, "segments": part},
    ):
        assert_that_problems_lie_in(data, outcome(data))


@DRAWS
@given(slips())
def test_a_valid_file_with_one_slip_is_answered_with_problems_in_it(data: dict[str, Any]) -> None:
    assert_that_problems_lie_in(data, outcome(data))


@DRAWS
@given(slips(JSON_VALUES))
def test_every_finding_of_a_file_points_into_its_text(data: dict[str, Any]) -> None:
    text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=60)
    source = Source("f.yaml", text, Path())
    found = of(compile_source, source)
    problems = found.problems if isinstance(found, DefinitionsError) else ()
    assert list(problems) == sorted(problems, key=lambda each: (each.line, each.column))
    for each in (*problems, *found.warnings):
        assert each.file == "f.yaml"
        assert 1 <= each.line <= text.count("\n")
        assert 1 <= each.column <= len(source.line(each.line)) + 1


@DRAWS
@given(slips(JSON_VALUES))
def test_what_the_schema_refuses_the_parser_refuses(data: dict[str, Any]) -> None:
    if not admits(with_text_keys(data)):
        assert isinstance(outcome(data), DefinitionsError)


@DRAWS
@given(files(EVERYTHING))
def test_what_the_parser_takes_the_schema_admits_and_the_log_gives_back(data: dict[str, Any]) -> None:
    compiled = compile_definitions(data)
    assert admits(data)
    again = parse_canonical(compiled.canonical)
    assert (again.canonical, again.hash, again.segments) == (compiled.canonical, compiled.hash, compiled.segments)


@DRAWS
@given(st.one_of(st.text(), TREES.map(lambda tree: json.dumps(tree, default=str, skipkeys=True))))
def test_any_text_in_the_log_is_answered_with_problems(text: str) -> None:
    found = of(parse_canonical, text)
    assert isinstance(found, DefinitionsError)
    assert found.problems
    assert not any(problem.line for problem in found.problems)


def test_text_in_the_log_that_nests_without_end_is_refused() -> None:
    for text in ("[" * 100_000, '{"version": 1, "segments": ' + '{"a":' * 500 + "1" + "}" * 501):
        assert isinstance(of(parse_canonical, text), DefinitionsError)


def test_a_very_long_chain_of_segments_is_put_in_order() -> None:
    chain = [Place("segments", str(number)) for number in range(10_000)]
    after = dict(pairwise(chain))
    findings = Findings()
    assert in_order(chain, lambda place: [after[place]] if place in after else [], findings) == chain[::-1]
    assert findings.problems == []
