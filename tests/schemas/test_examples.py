"""The committed examples, through the one way of decoding and through the generated JSON Schemas alike."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from schemas.documents import GENERATED
from schemas.headers import DeadLetterHeaders, TransitionHeaders
from schemas.lists import decode_entry, encode_entry
from schemas.record_models import RECORD_TYPES
from schemas.records import InvalidRecordError, decode_record, encode_record
from schemas.transitions import decode_transition, encode_transition
from schemas.write_keys import decode_key_entry, encode_key_entry

EXAMPLES = Path(__file__).resolve().parents[2] / "schemas" / "examples"
VALID = sorted((EXAMPLES / "valid").glob("*.json"))
INVALID = sorted((EXAMPLES / "invalid").glob("*.json"))
REASONS: dict[str, dict[str, Any]] = json.loads((EXAMPLES / "reasons.json").read_text())
HEADERS: dict[str, type[BaseModel]] = {
    "transition_headers": TransitionHeaders,
    "dead_letter_headers": DeadLetterHeaders,
}


def name_of(path: Path) -> str:
    return path.stem


def kind_of(path: Path) -> str:
    return path.name.split(".")[0]


def decode(path: Path) -> object:
    kind, raw = kind_of(path), path.read_bytes()
    if kind in HEADERS:
        return HEADERS[kind].model_validate_json(raw)
    decoders = {"transition": decode_transition, "list_entry": decode_entry, "key_entry": decode_key_entry}
    return decoders.get(kind, decode_record)(raw)


def validators(kind: str) -> list[Draft202012Validator]:
    names = {kind, "record"} if kind in RECORD_TYPES else {kind}
    return [Draft202012Validator(json.loads((GENERATED / f"{name}.schema.json").read_text())) for name in sorted(names)]


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_example_is_decoded_and_admitted_by_its_json_schema(path: Path) -> None:
    decode(path)
    for validator in validators(kind_of(path)):
        validator.validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_what_we_write_of_a_valid_example_reads_as_the_same(path: Path) -> None:
    kind, raw = kind_of(path), path.read_bytes()
    if kind in RECORD_TYPES:
        record = decode_record(raw)
        written = encode_record(record)
        assert decode_record(written) == record
    elif kind == "transition":
        written = encode_transition(decode_transition(raw))
        assert json.loads(written) == json.loads(raw)
    elif kind == "list_entry":
        written = encode_entry(decode_entry(raw))
        assert json.loads(written) == json.loads(raw)
    elif kind == "key_entry":
        written = encode_key_entry(decode_key_entry(raw))
        assert json.loads(written) == json.loads(raw)
    else:
        return
    for validator in validators(kind):
        validator.validate(json.loads(written))


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_example_is_refused_for_the_reason_that_stands_beside_it(path: Path) -> None:
    reason = REASONS[path.name]
    with pytest.raises(ValueError, match=re.escape(reason["because"])) as refused:
        decode(path)
    if isinstance(refused.value, InvalidRecordError):
        assert refused.value.reason == reason["reason"]


@pytest.mark.parametrize("path", [path for path in INVALID if REASONS[path.name]["json_schema_refuses"]], ids=name_of)
def test_an_invalid_example_is_refused_by_its_json_schema_where_that_can_say_it(path: Path) -> None:
    body = json.loads(path.read_bytes())
    assert not any(validator.is_valid(body) for validator in validators(kind_of(path)))


def test_every_invalid_example_says_why_and_nothing_else_does() -> None:
    assert set(REASONS) == {path.name for path in INVALID}


def test_every_kind_of_record_has_an_example_of_both_sorts() -> None:
    wanted = {*RECORD_TYPES, *HEADERS, "transition", "list_entry", "key_entry"}
    assert wanted == {kind_of(path) for path in VALID}
    assert wanted | {"record"} == {kind_of(path) for path in INVALID}
