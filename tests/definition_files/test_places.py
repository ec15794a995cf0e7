"""Every finding of a file stands at its line and column, and all of them come at once, in the order of the file."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from streams.definition_files.reading import Source, compile_source, read_definitions, read_source
from streams.segmentation import DefinitionsError, Problem


def problems(text: str, folder: Path = Path()) -> list[Problem]:
    """What is wrong with a text, whose first line is empty and not counted."""
    with pytest.raises(DefinitionsError) as refused:
        compile_source(Source("f.yaml", dedent(text).removeprefix("\n"), folder))
    return list(refused.value.problems)


def places(text: str) -> list[tuple[int, int, str]]:
    return [(each.line, each.column, each.path) for each in problems(text)]


def test_an_unknown_key_points_at_the_key_a_wrong_value_at_the_value_and_a_missing_key_at_what_it_belongs_to() -> None:
    text = """
    version: 1
    segments:
      s:
        when:
          all:
            - performed: {evnt: x, within: 7 days}
            - performed:
                within: 0d
            - score:
                gte: 5
    """
    assert places(text) == [
        (6, 23, "segments.s.when.all[0].performed.evnt"),
        (6, 40, "segments.s.when.all[0].performed.within"),
        (7, 11, "segments.s.when.all[1].performed.event"),
        (8, 21, "segments.s.when.all[1].performed.within"),
        (9, 11, "segments.s.when.all[2].score.name"),
    ]


def test_what_is_missing_at_the_top_points_at_the_beginning() -> None:
    assert places("# a comment\nsegments: {s: {when: {known_for: 1d}}}") == [(2, 1, "version")]


def test_a_missing_key_of_an_item_of_a_list_points_at_the_item() -> None:
    assert places("version: 1\nscores: {e: {points: [{event: x}]}}\nsegments: {s: {when: {known_for: 1d}}}") == [
        (2, 23, "scores.e.points[0].points")
    ]


def test_faults_of_yaml_of_the_top_and_of_conditions_and_circles_are_told_together() -> None:
    text = """
    version: 2
    zone: Nowhere
    nonsense: 1
    scores:
      e: {half_life: 7d, half_life: 8d, points: [{event: x, points: .inf}]}
      f: {points: [{while: {in_segment: a}, points: 123456789012345678901}]}
    lists: {vip: !set [c1]}
    segments:
      a: {when: {score: {name: f, gte: 1}}}
      b: {when: {nope: 1}}
      c: {exit_when: {all: [{known_for: 1d}, {not: {known_for: 1d}}]}, when: {known_for: 1h}, tags: VIP}
    """
    assert places(text) == [
        (1, 10, "version"),
        (2, 7, "zone"),
        (3, 1, "nonsense"),
        (5, 22, "scores.e.half_life"),
        (5, 65, "scores.e.points[0].points"),
        (6, 49, "scores.f.points[0].points"),
        (7, 14, "lists.vip"),
        (9, 3, "segments.a"),
        (10, 14, "segments.b.when.nope"),
        (11, 7, "segments.c.exit_when"),
        (11, 97, "segments.c.tags"),
    ]


def test_an_aliased_value_that_is_wrong_where_it_is_used_points_at_the_use() -> None:
    text = """
    version: 1
    segments:
      s: {description: &x long ago, when: {known_for: *x}}
    """
    assert places(text) == [(3, 51, "segments.s.when.known_for")]


def test_what_is_wrong_inside_of_an_alias_is_told_once_and_where_it_is_written() -> None:
    text = """
    version: 1
    segments:
      a: {when: &bought {performed: {event: Purchase}}}
      b: {when: *bought}
      c: {when: {not: *bought}}
    """
    assert places(text) == [(3, 41, "segments.a.when.performed.event")]


def test_keys_with_dots_and_brackets_are_found() -> None:
    text = "version: 1\nsegments:\n  'a.b[0]':\n    when: {known_for: 1}\n"
    assert places(text) == [(3, 3, "segments.a.b[0]"), (4, 23, "segments.a.b[0].when.known_for")]


def test_a_list_file_is_told_of_at_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text(f'contact_id\nc1\n"c\n2"\n{"x" * 257},y\nc3\n{"y" * 300}\n')
    (tmp_path / "latin.csv").write_bytes(b"contact_id\nc1\nc\xe9\n")
    (tmp_path / "quotes.csv").write_bytes(b"contact_id\nc1\n" + b"c" * 200_000)
    lists = "a: {file: long.csv}, b: {file: latin.csv}, c: {file: quotes.csv}, d: {file: absent.csv}"
    found = problems(f"version: 1\nlists: {{{lists}}}\nsegments: {{s: {{when: {{known_for: 1d}}}}}}", tmp_path)
    assert [(Path(each.file).name, each.line, each.column, each.path) for each in found] == [
        ("f.yaml", 2, 85, "lists.d.file"),
        ("latin.csv", 3, 2, "lists.b.file"),
        ("long.csv", 5, 1, "lists.a.file"),
        ("long.csv", 7, 1, "lists.a.file"),
        ("quotes.csv", 3, 1, "lists.c.file"),
    ]


def test_the_error_names_the_file_and_every_line(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("version: 1\nsegments: {s: {when: {known_for: 7D}}}\n")
    with pytest.raises(DefinitionsError) as refused:
        read_definitions(path)
    assert str(refused.value).splitlines() == [
        f"{path} is refused, 1 problem:",
        f"{path}:2:34: segments.s.when.known_for: expected a duration: a positive whole number and one unit of "
        's, m, h, d, w, like 7d (found "7D"); did you mean 7d?',
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("version: 1\n\tx: 1", 2, 1, "spaces to indent with, not a tab"),
        ("version: 1\nsegments: a: b", 2, 12, "put a text with a colon in quotes"),
        ("segments:\n  a: 1\n b: 2", 3, 2, "indented like what it belongs to"),
        ("version\nsegments: {}", 2, 9, "mend the line above"),
        ("a: 1\nsegments\nb: 1", 3, 1, "a colon with a space after it is missing"),
        ("a: [1, 2\nb: 3", 2, 2, "the list that begins in line 1 is not closed"),
        ("a: {b: 1\nc: [", 2, 2, "the mapping that begins in line 1 is not closed"),
        ("a: 'x\nb: 3", 2, 5, "a closing quote for the text that begins in line 1"),
        ("a: *b", 1, 4, "the anchor &b before it is used as *b"),
        ("a: @b", 1, 4, "begins with @ or ` in quotes"),
        ("a: 1\n---\nb: 1", 2, 1, "one document"),
        ("a: \x07", 1, 4, "expected text"),
        ("\n", 1, 1, "found an empty file"),
        ("a: &a [*a]", 1, 4, "levels of nesting"),
    ],
)
def test_a_syntax_error_is_told_alone_in_words_that_say_what_to_do(
    text: str, line: int, column: int, expected: str
) -> None:
    with pytest.raises(DefinitionsError) as refused:
        compile_source(Source("f.yaml", text, Path()))
    (problem,) = refused.value.problems
    assert (problem.line, problem.column, expected in problem.expected) == (line, column, True)


def test_a_file_that_is_no_text_is_refused_at_the_byte(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"version: 1\nx: \xe9")
    with pytest.raises(DefinitionsError, match=r"latin\.yaml:2:4: expected UTF-8"):
        read_source(tmp_path / "latin.yaml")


def test_a_byte_order_mark_does_not_shift_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes("\ufeffversion: 2\nsegments: {s: {when: {known_for: 1d}}}".encode())
    with pytest.raises(DefinitionsError, match=r"bom\.yaml:1:10: version"):
        read_definitions(tmp_path / "bom.yaml")


def test_warnings_have_places_too() -> None:
    text = "version: 1\nsegments:\n  s:\n    when: {performed: {event: email_opened}}\n"
    (warning,) = compile_source(Source("f.yaml", text, Path())).warnings
    assert (warning.line, warning.column, warning.suggestion) == (4, 31, "email_open")
