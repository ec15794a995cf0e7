"""The JSON Schema and `segue check` come to the same verdict on every committed definition file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.documents import DEFINITION_FILE, GENERATED, render
from streams.definition_files.reading import read_definitions
from streams.definition_files.schema import definition_schema, write
from streams.segmentation import DefinitionsError
from streams.segmentation.conditions import LEAVES
from streams.segmentation.expressions import KEYS
from streams.segmentation.refusals import keys_of
from tests.definition_files.corpus import INVALID, SCHEMA, VALID, admits, data_of, head_of, name_of


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_file_is_admitted_by_both(path: Path) -> None:
    assert read_definitions(path).segments
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(data_of(path))] == []


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_file_is_refused_for_the_one_reason_in_its_first_line(path: Path) -> None:
    expected, _ = head_of(path)
    with pytest.raises(DefinitionsError) as refused:
        read_definitions(path)
    (problem,) = refused.value.problems
    told = f"{problem.path}: {problem.expected}" if problem.path else problem.expected
    assert told.startswith(expected)


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_the_schema_refuses_an_invalid_file_too_unless_it_is_marked_as_one_that_it_cannot_see(path: Path) -> None:
    _, unseen = head_of(path)
    assert admits(data_of(path)) == unseen


def test_the_corpus_is_as_large_as_it_is_meant_to_be() -> None:
    assert len(VALID) >= 25
    assert len(INVALID) >= 60


def test_the_committed_schema_is_current() -> None:
    found = (GENERATED / DEFINITION_FILE).read_text()
    assert found == render(definition_schema()), "stale: run `make generate` and commit what it changes"


def test_the_schema_is_written_where_the_others_lie(tmp_path: Path) -> None:
    assert write(tmp_path).read_text() == (GENERATED / DEFINITION_FILE).read_text()


def test_every_key_of_the_schema_says_what_it_is_for() -> None:
    for name, definition in {"file": SCHEMA, **SCHEMA["$defs"]}.items():
        assert definition["description"], name
        for key, described in definition.get("properties", {}).items():
            assert described["description"], f"{name}.{key}"


def pairs(value: Any, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is written, as pairs of a definition of the schema and one of its keys."""
    for name in names(schema):
        definition = SCHEMA["$defs"][name]
        if isinstance(value, dict):
            for key, each in value.items():
                if key in definition.get("properties", {}):
                    yield name, key
                    yield from pairs(each, definition["properties"][key])
    if isinstance(value, list) and "items" in schema:
        for each in value:
            yield from pairs(each, schema["items"])
    elif isinstance(value, dict):
        for key, each in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if isinstance(inner, dict):
                yield from pairs(each, inner)


def names(schema: dict[str, Any]) -> list[str]:
    """The definitions that a place in the schema refers to."""
    found = [schema, *schema.get("anyOf", [])]
    return [each["$ref"].rpartition("/")[2] for each in found if "$ref" in each]


def test_the_valid_files_write_every_key_of_the_language_in_every_place() -> None:
    written = {pair for path in VALID for pair in pairs(data_of(path), SCHEMA)}
    known = {(name, key) for name, each in SCHEMA["$defs"].items() for key in each.get("properties", {})}
    assert known - written == set()
    assert {key for path in VALID for key in data_of(path)} == set(SCHEMA["properties"])


def test_the_schema_knows_every_condition_and_all_its_keys() -> None:
    assert set(SCHEMA["$defs"]["Condition"]["properties"]) == set(KEYS)
    for kind in LEAVES.values():
        known = SCHEMA["$defs"][kind.spec.__name__].get("properties", {})
        assert set(known) == {key for key in keys_of(kind.spec) if key != "root"}
