"""What forms are: the file of SEGUE_FORMS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.errors import InputError
from streams.collector.configured_files import read_configured
from streams.links import check_destination
from streams.normalising import country_code

FORMS_MAX = 1_000
FIELDS_MAX = 100
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=128)]


FieldType: TypeAlias = Literal[
    "text", "long_text", "name", "email", "phone", "country", "number", "integer", "boolean", "date", "choice",
    "choices", "id",
]  # fmt: skip


def _destination(url: str) -> str:
    check_destination(url)
    return url


def _country(text: str) -> str:
    if country_code(text) != text:
        raise ValueError(f"expected {country_code(text)}")
    return text


_Url = Annotated[str, AfterValidator(_destination)]
_Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FormField(_Part):
    """One field: what it takes, and where it goes."""

    type: FieldType = "text"
    required: bool = False
    trait: _Text | None = None
    """Name of the trait that it sets; without one, its own name."""
    into: Literal["traits", "properties"] = "traits"
    """Whether it is a trait of the contact, or a property of the `form_submit` event alone."""
    characters_max: int = Field(default=256, ge=1, le=8_192)
    choices: tuple[_Text, ...] = Field(default=(), max_length=1_000)
    least: float | None = None
    most: float | None = None
    country: Annotated[str, AfterValidator(_country)] | None = None
    """Where phone numbers are from that do not begin with +."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.type in ("choice", "choices")) != bool(self.choices):
            raise ValueError("choices: expected with the types `choice` and `choices`, and with no other")
        if self.type not in ("number", "integer") and (self.least, self.most) != (None, None):
            raise ValueError("least, most: expected with the types `number` and `integer` only")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError("most: expected at least as much as `least`")
        if self.country is not None and self.type != "phone":
            raise ValueError("country: expected with the type `phone` only")
        return self


class FormConsent(_Part):
    """Consent that the form asks for."""

    purpose: _Text
    document: _Text
    method: _Text = "web_form"
    field: _Name | None = None
    """The box to tick; without one, sending the form is the consent."""
    required: bool = False

    @model_validator(mode="after")
    def _can_be_required(self) -> Self:
        if self.required and self.field is None:
            raise ValueError("required: expected together with `field`")
        return self


class DoubleOptIn(_Part):
    """Consent counts once the link of an e-mail was followed."""

    expires_after_h: int = Field(default=48, ge=1, le=24 * 30)


class Form(_Part):
    """One form."""

    contact: _Name
    fields: dict[_Name, FormField] = Field(min_length=1, max_length=FIELDS_MAX)
    consents: tuple[FormConsent, ...] = Field(default=(), max_length=20)
    honeypot: _Name | None = None
    """A field that people do not see, and leave empty."""
    redirects: tuple[_Url, ...] = Field(default=(), max_length=100)
    """Where a browser is led; the first, or the one of them that the field `redirect` asks for."""
    origins: tuple[_Origin, ...] = Field(default=(), max_length=100)
    """Pages that may send it; empty: all."""
    key_required: bool = False
    double_opt_in: DoubleOptIn | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        contact = self.fields.get(self.contact)
        if contact is None or contact.type not in ("email", "id") or not contact.required:
            yield "contact: expected the name of a required field of the type `email` or `id`"
        elif contact.type == "id" and not self.key_required:
            yield "key_required: expected true, since an id could be anybody's: only those with a key may say whose"
        others = [consent.field for consent in self.consents if consent.field is not None]
        for name in [*others, *([self.honeypot] if self.honeypot else [])]:
            if name in self.fields:
                yield f"fields.{name}: expected a name that no consent and no honeypot has"
        if self.double_opt_in is not None and not self.consents:
            yield "double_opt_in: expected consents that it confirms"
        traits = [field.trait or name for name, field in self.fields.items() if field.into == "traits"]
        if len(set(traits)) < len(traits):
            yield "fields: expected another trait for each field"
        purposes = [consent.purpose for consent in self.consents]
        if len(set(purposes)) < len(purposes):
            yield "consents: expected another purpose for each"


class FormsFile(BaseModel):
    """What the file says: form id → form."""

    model_config = ConfigDict(extra="forbid")

    forms: dict[_Name, Form] = Field(max_length=FORMS_MAX)


def load_forms(path: Path | None, *, keys: bool) -> Mapping[str, Form]:
    """The forms of a file, by their id; none without one. `keys`: whether links can be made. Raises `InputError`."""
    if path is None:
        return {}
    forms = read_configured(path, FormsFile).forms
    for name, form in forms.items():
        if form.double_opt_in is not None and not keys:
            raise InputError(f"{path}: forms.{name}.double_opt_in: expected SEGUE_LINK_KEYS to make its links with")
    return forms
