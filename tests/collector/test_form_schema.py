"""The file of forms: what is wrong in it is said at the start, with its path, and what each type of field takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.errors import InputError
from streams.collector.forms.form_fields import field_value
from streams.collector.forms.form_schema import FormField, load_forms
from tests.collector.doubles import WRITE_KEY, open_door
from tests.support.run_directory import CHECKOUT

EMAIL = "email: {type: email, required: true}"


def _load(tmp_path: Path, form: str, *, keys: bool = True) -> Any:
    path = tmp_path / "forms.yaml"
    path.write_text(f"forms:\n  news: {{{form}}}\n")
    return load_forms(path, keys=keys)["news"]


def test_a_form_of_one_address_is_enough(tmp_path: Path) -> None:
    form = _load(tmp_path, f"contact: email, fields: {{{EMAIL}}}")
    assert (form.contact, form.consents, form.double_opt_in) == ("email", (), None)


def test_without_a_file_there_is_no_form() -> None:
    assert load_forms(None, keys=False) == {}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("contact: email, fields: {}", "forms.news.fields: Dictionary should have at least 1 item"),
        ("contact: mail, fields: {" + EMAIL + "}", "forms.news: contact: expected the name of a required field"),
        ("contact: email, fields: {email: {type: email}}", "contact: expected the name of a required field"),
        ("contact: id, fields: {id: {type: id, required: true}}", "key_required: expected true"),
        ("contact: email, fields: {email: {type: mail}}", "forms.news.fields.email.type: Input should be 'text'"),
        ("contact: email, colour: red, fields: {" + EMAIL + "}", "forms.news.colour: Extra inputs"),
        ("contact: email, fields: {" + EMAIL + ", a: {type: choice}}", "fields.a: choices: expected"),
        ("contact: email, fields: {" + EMAIL + ", a: {choices: [x]}}", "fields.a: choices: expected"),
        ("contact: email, fields: {" + EMAIL + ", a: {least: 1}}", "fields.a: least, most: expected with the types"),
        (
            "contact: email, fields: {" + EMAIL + ", a: {type: number, least: 2, most: 1}}",
            "fields.a: most: expected at least as much as `least`",
        ),
        ("contact: email, fields: {" + EMAIL + ", a: {country: FR}}", "fields.a: country: expected with the type"),
        ("contact: email, fields: {" + EMAIL + ", a: {type: phone, country: France}}", "country: expected FR"),
        ("contact: email, fields: {" + EMAIL + ", a: {trait: email}}", "fields: expected another trait for each"),
        ("contact: email, honeypot: email, fields: {" + EMAIL + "}", "fields.email: expected a name that no consent"),
        ("contact: email, redirects: ['//evil'], fields: {" + EMAIL + "}", "redirects[0]: expected an http or https"),
        ("contact: email, origins: ['*'], fields: {" + EMAIL + "}", "origins[0]: String should match"),
        ("contact: email, double_opt_in: {}, fields: {" + EMAIL + "}", "double_opt_in: expected consents"),
        (
            "contact: email, consents: [{purpose: a, document: v1, required: true}], fields: {" + EMAIL + "}",
            "consents[0]: required: expected together with `field`",
        ),
        (
            "contact: email, consents: [{purpose: a, document: v1}, {purpose: a, document: v2}], fields: {"
            + EMAIL
            + "}",
            "consents: expected another purpose for each",
        ),
    ],
)
def test_what_is_wrong_in_a_form_is_said_with_its_path(tmp_path: Path, form: str, expected: str) -> None:
    with pytest.raises(InputError) as refused:
        _load(tmp_path, form)
    assert "forms.yaml: forms.news" in str(refused.value)
    assert expected in str(refused.value)


def test_double_opt_in_without_keys_is_refused_at_the_start(tmp_path: Path) -> None:
    form = f"contact: email, double_opt_in: {{}}, consents: [{{purpose: a, document: v1}}], fields: {{{EMAIL}}}"
    with pytest.raises(InputError, match=r"forms\.news\.double_opt_in: expected SEGUE_LINK_KEYS"):
        _load(tmp_path, form, keys=False)
    path = tmp_path / "forms.yaml"
    with (
        pytest.raises(InputError, match="double_opt_in"),
        open_door(link_keys={}, forms=path, write_keys={"website": SecretStr(WRITE_KEY)}),
    ):
        pass


@pytest.mark.parametrize(
    ("field", "sent", "value"),
    [
        ({}, " two   words ", "two words"),
        ({"type": "name"}, "Rene\u0301", "René"),
        ({"type": "long_text"}, "one\r\n\r\n two \x20three\n", "one\n\ntwo three"),
        ({"type": "email"}, "Ann@Example.org", "ann@example.org"),
        ({"type": "phone", "country": "FR"}, "01 23 45 67 89", "+33123456789"),
        ({"type": "country"}, "france", "FR"),
        ({"type": "number"}, "12.50", 12.5),
        ({"type": "number"}, "1e999", None),
        ({"type": "number"}, "99999999999999999999", 1e20),
        ({"type": "number", "least": 0, "most": 1}, "1", 1),
        ({"type": "number", "least": 0, "most": 1}, "1.1", None),
        ({"type": "integer"}, "-3", -3),
        ({"type": "integer"}, "3.0", None),
        ({"type": "integer"}, "9007199254740993", None),
        ({"type": "boolean"}, "on", True),
        ({"type": "boolean"}, "No", False),
        ({"type": "boolean"}, "maybe", None),
        ({"type": "date"}, "2024-02-29", "2024-02-29"),
        ({"type": "date"}, "2023-02-29", None),
        ({"type": "date"}, "29.02.2024", None),
        ({"type": "choice", "choices": ["a", "b"]}, "a", "a"),
        ({"type": "choice", "choices": ["a", "b"]}, "c", None),
        ({"type": "id"}, "u-1", "u-1"),
        ({"type": "id"}, "anon:1", None),
        ({"type": "id"}, "x" * 257, None),
        ({"characters_max": 3}, "four", None),
        ({"type": "long_text", "characters_max": 3}, "a\nb\nc", None),
    ],
)
def test_a_type_takes_what_it_says_and_refuses_the_rest(field: dict[str, Any], sent: str, value: object) -> None:
    shape = FormField.model_validate(field)
    if value is None:
        with pytest.raises(ValueError, match="expected"):
            field_value(shape, [sent])
        return
    found = field_value(shape, [sent])
    assert (found, type(found)) == (value, type(value))


def test_several_values_are_one_list_for_choices_and_a_mistake_for_the_rest() -> None:
    choices = FormField.model_validate({"type": "choices", "choices": ["a", "b", "c"]})
    assert field_value(choices, ["c", "a", "c", ""]) == ["c", "a"]
    assert field_value(choices, []) is None
    assert field_value(FormField(), ["", " "]) is None
    with pytest.raises(ValueError, match="expected one value"):
        field_value(FormField(), ["a", "b"])


def test_the_form_of_the_manual_is_one(tmp_path: Path) -> None:
    path = tmp_path / "forms.yaml"
    path.write_text((CHECKOUT / "ops/forms.md").read_text().partition("```yaml\n")[2].partition("```")[0])
    form = load_forms(path, keys=True)["newsletter"]
    assert form.double_opt_in is not None
    assert form.double_opt_in.expires_after_h == 48
