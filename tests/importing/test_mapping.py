"""Mappings: what is wrong in one is told with its place, and a schema and short flags say the same as the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from schemas.documents import GENERATED, IMPORT_MAPPING, render
from schemas.errors import InputError
from streams.importing.mapping import check_columns, mapping_of_flags, read_mapping
from streams.importing.schema import mapping_schema, write
from tests.importing.files import mapping_of
from tests.support.run_directory import CHECKOUT

EXAMPLE = CHECKOUT / "ops/examples/contacts.map.yaml"
SCHEMA: dict[str, Any] = json.loads((GENERATED / IMPORT_MAPPING).read_text())


def problems_of(tmp_path: Path, text: str) -> list[str]:
    """What is said of a mapping that is refused, without the first line."""
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_mapping(path)
    head, *rest = str(refusal.value).splitlines()
    assert head.startswith(f"{path} is refused")
    return [line.removeprefix(f"{path}:") for line in rest]


REFUSED = [
    ("version: 1\n", "1:1: contact: expected the key `contact`, which is required"),
    ("version: 2\ncontact: E\n", "1:10: version: expected 1 (found 2)"),
    ("version: 1\ncontact: E\ntrait: {a: A}\n", "3:1: trait: unknown key;"),
    ("version: 1\ncontact: {column: E, kind: mail}\n", "2:28: contact.kind:"),
    ("version: 1\ncontact: E\ntraits: {a: {column: A, kind: fone}}\n", "3:31: traits.a.kind:"),
    ("version: 1\ncontact: E\ntraits: {a.b: A}\n", "3:"),
    ("version: 1\ncontact: E\ntraits: {a: {column: A, country: FR}}\n", "country, country_column: expected with"),
    ("version: 1\ncontact: E\ntraits: {a: {column: A, format: x}}\n", "format: expected with the kinds"),
    ("version: 1\ncontact: E\ntraits: {a: {column: A, zone: UTC}}\n", "zone: expected with the kind"),
    ("version: 1\ncontact: E\ntraits: {a: {column: A, decimal: ','}}\n", "decimal: expected with the kind"),
    ("version: 1\ncontact: E\ncountry: fr\n", "country: expected two capital letters (found \"fr\"); did you mean FR?"),
    ("version: 1\ncontact: E\ncountry: Atlantis\n", "expected a country: its code in ISO 3166"),
    ("version: 1\ncontact: E\noccurred_at: {column: T, zone: Mars}\n", "expected the name of a time zone"),
    ("version: 1\ncontact: E\nlists: [a, a]\n", "lists: expected each name once"),
    ("version: 1\ncontact: E\nconsents: [{column: N, purpose: p, document: d}]\n", "expected the key `method`"),
    ("version: 1\ncontact: E\ncontact: F\n", "expected this key once"),
    ("- a\n", "expected a mapping of keys to values"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_is_wrong_is_told_with_its_place_and_what_was_expected(tmp_path: Path, text: str, said: str) -> None:
    problems = problems_of(tmp_path, text)
    assert any(said in problem for problem in problems), problems


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = "version: 1\ncontact: {colum: E}\ntraits: {a: {column: A, kind: fone}}\nempty: keep\n"
    assert len(problems_of(tmp_path, text)) >= 3


def test_a_mapping_that_is_not_there_or_not_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a mapping file that can be read"):
        read_mapping(tmp_path / "gone.yaml")
    (tmp_path / "m.yaml").write_text("a: [")
    with pytest.raises(InputError, match=r"m\.yaml:1"):
        read_mapping(tmp_path / "m.yaml")


def test_the_committed_schema_is_current_and_written_where_the_others_lie(tmp_path: Path) -> None:
    assert (GENERATED / IMPORT_MAPPING).read_text() == render(mapping_schema()), "stale: run `make generate`"
    assert write(tmp_path).read_text() == (GENERATED / IMPORT_MAPPING).read_text()


def test_the_schema_takes_the_example_and_refuses_misspelt_keys() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    example = yaml.safe_load(EXAMPLE.read_text())
    assert list(validator.iter_errors(example)) == []
    assert list(validator.iter_errors(example | {"trait": {}}))
    assert list(validator.iter_errors(example | {"traits": {"a": {"column": "A", "kind": "fone"}}}))


def test_every_key_of_the_schema_says_what_it_is_for() -> None:
    for name, part in {"file": SCHEMA, **SCHEMA["$defs"]}.items():
        for key, value in part["properties"].items():
            assert value.get("description"), f"{name}.{key}"


def test_flags_stand_for_a_mapping() -> None:
    flags = mapping_of_flags("E-mail", ["city=City", "phone=Tel: home:phone", "time=a:b"], ["crm"])
    assert flags == mapping_of(
        contact="E-mail",
        traits={"city": "City", "phone": {"column": "Tel: home", "kind": "phone"}, "time": "a:b"},
        lists=["crm"],
    )
    assert mapping_of_flags("Number:id", [], []) == mapping_of(contact={"column": "Number", "kind": "id"})


@pytest.mark.parametrize(
    ("traits", "said"),
    [
        (["city"], "--trait: city: expected NAME=COLUMN"),
        (["=City"], "expected NAME=COLUMN"),
        (["city="], "expected NAME=COLUMN"),
        (["a=A", "a=B"], "--trait: a: expected each trait once"),
        (["a.b=A"], "traits.a.b"),
    ],
)
def test_a_flag_that_says_nothing_is_refused(traits: list[str], said: str) -> None:
    with pytest.raises(InputError) as refusal:
        mapping_of_flags("Email", traits, [])
    assert said in str(refusal.value)


def test_a_column_that_the_file_has_not_is_refused_with_the_one_that_may_be_meant() -> None:
    mapping = mapping_of(contact="Email", traits={"city": "Citty", "name": "Name"})
    check_columns(mapping, ["Email", "Citty", "Name"])
    with pytest.raises(InputError) as refusal:
        check_columns(mapping, ["Email", "City", "Name"])
    assert "traits.city.column: 'Citty', did you mean 'City'?" in str(refusal.value)


def test_two_mappings_have_the_same_digest_only_if_they_say_the_same() -> None:
    assert mapping_of(traits={"a": "A"}).digest() == mapping_of(traits={"a": {"column": "A"}}).digest()
    assert mapping_of(traits={"a": "A"}).digest() != mapping_of(traits={"a": "B"}).digest()
