"""What definition files are taken and refused, and with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from streams.definition_files.reading import load_definition_file, parse_yaml, read_definitions
from streams.segmentation import DefinitionsError, compile_definitions, parse_canonical
from tests.segmentation.timeline import definitions, segment

SCORES: dict[str, Any] = {
    "e": {"half_life": "7d", "points": [{"event": "email_open", "points": 5}], "tiers": {"cold": None, "warm": 30}}
}


def nested(depth: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"performed": {"event": "x"}}
    for _ in range(depth):
        condition = {"not": condition}
    return condition


def test_conditions_nest_to_a_depth_of_31() -> None:
    compile_definitions(segment(nested(31)))
    with pytest.raises(DefinitionsError, match="depth of at most 31"):
        compile_definitions(segment(nested(32)))


@pytest.mark.parametrize(
    ("when", "path", "expected"),
    [
        ({"performed": {"event": "Open"}}, "segments.s.when.performed.event", "expected the name of an event"),
        ({"performed": {}}, "segments.s.when.performed.event", "expected the key `event`"),
        (
            {"performed": {"event": "x", "withn": "1d"}},
            "segments.s.when.performed.withn",
            "unknown key; expected one of",
        ),
        ({"performed": {"event": "x", "within": "0d"}}, "segments.s.when.performed.within", "expected a duration"),
        ({"performed": {"event": "x", "within": "3651d"}}, "segments.s.when.performed.within", "at most 3650d"),
        ({"performed": {"event": "x", "within": 7}}, "segments.s.when.performed.within", "expected a duration"),
        ({"performed": {"event": "x", "at_least": 0}}, "segments.s.when.performed.at_least", "at least 1"),
        (
            {"performed": {"event": "x", "at_least": 1001}},
            "segments.s.when.performed.at_least",
            "a whole number from 1 to 1000",
        ),
        (
            {"performed": {"event": "x", "at_least": "3"}},
            "segments.s.when.performed.at_least",
            "expected a whole number",
        ),
        (
            {"performed": {"event": "x", "at_least": True}},
            "segments.s.when.performed.at_least",
            "expected a whole number",
        ),
        ({"performed": {"event": "x", "at_least": 1, "at_most": 2}}, "segments.s.when.performed", "not several"),
        ({"performed": {"event": "x", "between": [5, 2]}}, "segments.s.when.performed.between", "lower bound first"),
        ({"not_performed": {"event": "x", "at_least": 1}}, "segments.s.when.not_performed.at_least", "unknown key"),
        ({"all": []}, "segments.s.when.all", "at least one condition"),
        ({"any": [{"all": [{"nope": 1}]}]}, "segments.s.when.any[0].all[0].nope", "unknown condition"),
        ({"a": 1, "b": 2}, "segments.s.when", "one key"),
        ([], "segments.s.when", "not a list; put `all:` or `any:` before"),
        ({"in_segment": "other"}, "segments.s.when.in_segment", "name of a segment: s"),
        ({"in_segment": "s"}, "segments.s", "no circle of references: segments.s -> segments.s"),
        ({"score": {"name": "x", "gte": 1}}, "segments.s.when.score.name", "name of a score: e"),
        ({"score": {"name": "e"}}, "segments.s.when.score", "at least one comparison"),
        ({"score": {"name": "e", "gte": "70"}}, "segments.s.when.score.gte", "at most 3 decimals"),
        ({"score": {"name": "e", "gte": 0.0001}}, "segments.s.when.score.gte", "at most 3 decimals"),
        ({"score": {"name": "e", "gte": 5, "lt": 5}}, "segments.s.when.score", "satisfy together"),
        ({"tier": {"name": "e", "is": "hot"}}, "segments.s.when.tier.is", "a tier of e: cold, warm"),
        ({"trait": {"name": "plan"}}, "segments.s.when.trait", "at least one operator"),
        ({"trait": {"name": "plan", "eq": None}}, "segments.s.when.trait.eq", "leave the key out"),
        ({"trait": {"name": "plan", "gt": True}}, "segments.s.when.trait.gt", "expected a number, or a text"),
        ({"trait": {"name": "plan", "in": []}}, "segments.s.when.trait.in", "at least 1 item"),
    ],
)
def test_a_bad_condition_is_refused_with_its_path(when: Any, path: str, expected: str) -> None:
    with pytest.raises(DefinitionsError) as caught:
        compile_definitions(segment(when, scores=SCORES))
    assert [(problem.path, expected in problem.expected) for problem in caught.value.problems] == [(path, True)]


@pytest.mark.parametrize(
    ("change", "path", "expected"),
    [
        ({"half_life": "-1d"}, "scores.e.half_life", "expected a duration"),
        ({"points": []}, "scores.e.points", "at least one rule"),
        ({"points": [{"event": "x", "points": "5"}]}, "scores.e.points[0].points", "expected a number"),
        ({"points": [{"event": "x", "points": 5, "when": 1}]}, "scores.e.points[0].when", "unknown key"),
        ({"cap": 1, "floor": 2}, "scores.e.cap", "not below the floor"),
        ({"tiers": {"a": 3, "b": 3}}, "scores.e.tiers.b", "tiers rise"),
        ({"tiers": {"a": 3, "b": None}}, "scores.e.tiers.b", "come first"),
        ({"tiers": {"a": 0.0005}}, "scores.e.tiers.a", "at most 3 decimals"),
    ],
)
def test_a_bad_score_is_refused_with_its_path(change: dict[str, Any], path: str, expected: str) -> None:
    scores = {"e": {"points": [{"event": "x", "points": 1}], **change}}
    with pytest.raises(DefinitionsError) as caught:
        compile_definitions(definitions({"s": {"when": {"performed": {"event": "x"}}}}, scores=scores))
    assert [(problem.path, expected in problem.expected) for problem in caught.value.problems] == [(path, True)]


def test_ids_on_lists_are_strings_and_a_number_is_to_be_quoted() -> None:
    with pytest.raises(DefinitionsError) as caught:
        compile_definitions(segment({"listed": "vip"}, lists={"vip": ["c1", 4711, True, ""], "old": "c1"}))
    assert [(problem.path, problem.expected) for problem in caught.value.problems] == [
        ("lists.vip[1]", "expected a contact id, which is a text; put the number in quotes"),
        ("lists.vip[2]", "expected a contact id: a text of 1 to 256 characters"),
        ("lists.vip[3]", "expected a contact id: a text of 1 to 256 characters"),
        ("lists.old", "expected a list of contact ids, like [c1, c2], or {file: vip.csv}"),
    ]


def test_a_list_that_the_file_does_not_declare_is_refused() -> None:
    with pytest.raises(DefinitionsError, match=r"segments.s.when.listed: expected the name of a list.*: gold"):
        compile_definitions(segment({"listed": "vip"}, lists={"gold": []}))


def test_lists_stand_in_the_canonical_text_by_name_so_that_members_are_no_change_of_definitions() -> None:
    compiled = compile_definitions(segment({"listed": "vip"}, lists={"vip": ["c1", "c2", "c1"]}))
    assert compiled.lists == {"vip": ("c1", "c2")}
    assert compiled.hash == compile_definitions(segment({"listed": "vip"}, lists={"vip": []})).hash
    assert parse_canonical(compiled.canonical) == compiled


def test_a_list_may_lie_in_a_file_beside_the_definitions(tmp_path: Path) -> None:
    text = "version: 1\nlists: {vip: {file: vip.csv}}\nsegments: {s: {when: {listed: vip}}}"
    (tmp_path / "definitions.yaml").write_text(text)
    with pytest.raises(DefinitionsError, match=r"lists\.vip\.file: expected a file that can be read: .*vip\.csv"):
        read_definitions(tmp_path / "definitions.yaml")
    (tmp_path / "vip.csv").write_text('contact_id,name\n4711,Ana\n\n"a, b",Ben\n')
    assert read_definitions(tmp_path / "definitions.yaml").lists == {"vip": ("4711", "a, b")}


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    bad = {"a": {"when": {"nope": 1}}, "b": {"when": {"in_segment": "zz"}, "colour": "red"}, "c c": {"when": nested(1)}}
    with pytest.raises(DefinitionsError) as caught:
        compile_definitions(definitions(bad))
    assert [problem.path for problem in caught.value.problems] == [
        "segments.a.when.nope",
        "segments.b.colour",
        "segments.b.when.in_segment",
        "segments.c c",
    ]


def test_a_decaying_score_without_hysteresis_is_warned_of() -> None:
    when = {"score": {"name": "e", "gte": 5}}
    assert len(compile_definitions(segment(when, scores=SCORES)).warnings) == 1
    exit_when = {"score": {"name": "e", "lt": 4}}
    assert compile_definitions(segment(when, exit_when=exit_when, scores=SCORES)).warnings == ()


def test_segments_stand_depth_first_each_after_those_it_refers_to() -> None:
    leaf = {"when": {"performed": {"event": "x"}}}
    file = {"a": {"when": {"in_segment": "c"}}, "b": leaf, "c": {"when": {"in_segment": "d"}}, "d": leaf}
    assert [each.name for each in compile_definitions(definitions(file)).segments] == ["d", "c", "a", "b"]


def test_the_canonical_text_reads_back_to_the_same_definitions() -> None:
    data = definitions(
        {"z": {"when": {"tier": {"name": "e", "is": "warm"}}}, "a": {"when": {"in_segment": "z"}}},
        scores={"e": {**SCORES["e"], "tiers": {"z": None, "b": 1, "a": 2, "warm": 3}}},
    )
    compiled = compile_definitions(data)
    again = parse_canonical(compiled.canonical)
    assert again == compiled


def test_a_definition_changes_with_what_it_rests_on_and_with_nothing_else() -> None:
    def hashes(points: int, described: str) -> dict[str, str]:
        scores = {"e": {"half_life": "7d", "points": [{"event": "x", "points": points}]}}
        hot = {"when": {"score": {"name": "e", "gte": 1}}, "exit_when": {"score": {"name": "e", "lt": 1}}}
        file = {
            "hot": {**hot, "description": described, "tags": [described], "meta": {"by": described}},
            "also": {"when": {"in_segment": "hot"}},
            "other": {"when": {"performed": {"event": "x"}}},
        }
        return {each.name: each.definition for each in compile_definitions(definitions(file, scores=scores)).segments}

    assert hashes(5, "one") == hashes(5, "two")
    before, after = hashes(5, "one"), hashes(6, "one")
    assert {name for name in before if before[name] != after[name]} == {"hot", "also"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("2026-01-01", "2026-01-01"),
        ("0o17", 15),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ('"10"', "10"),
        ("{a: &x [1], b: *x}", {"a": [1], "b": [1]}),
    ],
)
def test_yaml_is_read_by_the_core_schema_of_1_2(text: str, value: object) -> None:
    assert parse_yaml(text, "f.yaml") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "f.yaml:2:1: a: expected this key once; it is given in line 1 already"),
        ("a: [1", "expected YAML"),
        ("a: !!python/object:os.system {}", "f.yaml:1:4: a: expected no tag"),
        ("a: .nan", "f.yaml:1:4: a: expected a finite number"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: expected YAML"),
        ("", "found an empty file"),
        ("[" * 500 + "]" * 500, "levels of nesting"),
        (
            "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 12) if n else 'x'}]" for n in range(9)),
            "aliases written out",
        ),
    ],
)
def test_yaml_that_is_not_plain_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "f.yaml")
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.yaml: expected a definition file that can be read"):
        load_definition_file(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(InputError, match=r"latin\.yaml:1:4: expected UTF-8"):
        load_definition_file(tmp_path / "latin.yaml")


def test_an_emoji_may_be_written_as_json_writes_it() -> None:
    assert parse_yaml('{"a": "\\ud83d\\ude00"}', "f.json") == {"a": "\U0001f600"}
    with pytest.raises(InputError, match="half of a pair is none"):
        parse_yaml('{"a": "\\ud83d"}', "f.json")
