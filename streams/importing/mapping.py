"""What a file's columns become: the mapping, read from YAML or made of short flags."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from schemas.errors import InputError
from streams.definition_files.reading import read_source
from streams.definition_files.yaml_document import read_document
from streams.normalising import country_code
from streams.segmentation.calendars import load_zone
from streams.segmentation.names import nearest
from streams.segmentation.problems import DefinitionsError, Findings, Spec
from streams.segmentation.refusals import wrong

Kind: TypeAlias = Literal["text", "name", "email", "phone", "country", "number", "boolean", "instant", "date"]
ContactKind: TypeAlias = Literal["email", "id"]
Empty: TypeAlias = Literal["leave", "remove"]
TRAITS_MAX = 1_000


def _short(value: object) -> object:
    """`city: City` stands for `city: {column: City}`."""
    return {"column": value} if isinstance(value, str) else value


def _country(text: str) -> str:
    try:
        found = country_code(text)
    except ValueError as error:
        raise wrong(f"{error}, like FR") from None
    if found != text:
        raise wrong("expected two capital letters", found)
    return text


def _zone(name: str) -> str:
    load_zone(name)
    return name


Column = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
TraitName = Annotated[str, StringConstraints(pattern=r"^[^.]{1,128}$")]
CountryCode = Annotated[str, AfterValidator(_country)]
Zone = Annotated[str, AfterValidator(_zone)]
_Named = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class ContactColumn(Spec):
    """The column that says who it is."""

    column: Column = Field(description="Name of the column.", examples=["Email"])
    kind: ContactKind = Field(
        default="email",
        description="`email`: the address in its one spelling, as forms have it; `id`: an id of your own.",
    )


class InstantColumn(Spec):
    """A column of times."""

    column: Column = Field(description="Name of the column.", examples=["Updated at"])
    format: _Named | None = Field(
        default=None, description="As for strptime, where it is not RFC 3339.", examples=["%d/%m/%Y %H:%M"]
    )
    zone: Zone | None = Field(default=None, description="Zone of times that name none.", examples=["Europe/Paris"])


class TraitColumn(InstantColumn):
    """The column of a trait, and how it is read."""

    kind: Kind = Field(default="text", description="What its cells are.")
    country: CountryCode | None = Field(
        default=None, description="Where phone numbers are from that do not begin with +.", examples=["FR"]
    )
    country_column: Column | None = Field(
        default=None, description="A column that says so for each row.", examples=["Country"]
    )
    decimal: Literal[".", ","] = Field(default=".", description="What stands before the fraction of a number.")
    empty: Empty | None = Field(default=None, description="As in the file, for this trait alone.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind != "phone" and (self.country or self.country_column):
            raise wrong("country, country_column: expected with the kind `phone` only")
        if self.kind not in ("instant", "date") and self.format:
            raise wrong("format: expected with the kinds `instant` and `date` only")
        if self.kind != "instant" and self.zone:
            raise wrong("zone: expected with the kind `instant` only")
        if self.kind != "number" and self.decimal != ".":
            raise wrong("decimal: expected with the kind `number` only")
        return self


class ConsentColumn(Spec):
    """A column of decisions: of one purpose, or of the names of purposes that were agreed to."""

    column: Column = Field(description="Name of the column.", examples=["Newsletter"])
    purpose: _Named | None = Field(
        default=None,
        description="Cells say yes or no to it; without it, they name the purposes that were agreed to.",
        examples=["marketing"],
    )
    separator: Annotated[str, StringConstraints(min_length=1, max_length=1)] = Field(
        default=";", description="What stands between names of purposes."
    )
    document: _Named = Field(description="What the contact was shown.", examples=["newsletter-v3"])
    method: _Named = Field(description="How the decision was made.", examples=["crm_export"])


_Contact = Annotated[ContactColumn, BeforeValidator(_short, json_schema_input_type=Column | ContactColumn)]
_Trait = Annotated[TraitColumn, BeforeValidator(_short, json_schema_input_type=Column | TraitColumn)]
_Instant = Annotated[InstantColumn, BeforeValidator(_short, json_schema_input_type=Column | InstantColumn)]


class ImportMapping(Spec):
    """What the columns of a file of contacts become."""

    version: Literal[1] = Field(description="Version of this format.")
    contact: _Contact = Field(description="Who it is: a column of e-mail addresses, or what it is with its kind.")
    traits: dict[TraitName, _Trait] = Field(
        default_factory=dict, max_length=TRAITS_MAX, description="Trait → its column, a text by itself."
    )
    consents: list[ConsentColumn] = Field(default_factory=list, max_length=100, description="Decisions of consent.")
    lists: list[_Named] = Field(
        default_factory=list, max_length=100, description="Static lists that every contact is put on."
    )
    occurred_at: _Instant | None = Field(
        default=None, description="When what a row says was so; without it, for all rows the same time."
    )
    country: CountryCode | None = Field(
        default=None, description="Where phone numbers are from that do not begin with +.", examples=["FR"]
    )
    empty: Empty = Field(default="leave", description="Whether an empty cell leaves a trait as it is or removes it.")
    ignore: list[Column] = Field(default_factory=list, description="Columns that become nothing, on purpose.")

    @model_validator(mode="after")
    def _says_each_thing_once(self) -> Self:
        purposes = [each.purpose for each in self.consents if each.purpose is not None]
        for what, names in (("consents", purposes), ("lists", self.lists)):
            if len(set(names)) < len(names):
                raise wrong(f"{what}: expected each name once")
        return self

    def columns(self) -> Iterator[tuple[str, str]]:
        """Every column that is read, with the path in the mapping that names it."""
        yield "contact.column", self.contact.column
        for name, trait in self.traits.items():
            yield f"traits.{name}.column", trait.column
            if trait.country_column is not None:
                yield f"traits.{name}.country_column", trait.country_column
        for place, consent in enumerate(self.consents):
            yield f"consents[{place}].column", consent.column
        if self.occurred_at is not None:
            yield "occurred_at.column", self.occurred_at.column

    def digest(self) -> str:
        """A hash of all that it says."""
        return hashlib.sha256(msgspec.json.encode(self.model_dump(), order="deterministic")).hexdigest()


def read_mapping(path: Path) -> ImportMapping:
    """The mapping in a file. Raises `DefinitionsError` with all that is wrong, each with its place."""
    source = read_source(path, "mapping file")
    document = read_document(source.text, source.name)
    findings = Findings()
    mapping = findings.read(ImportMapping, findings.mapping(document.data, ""), "")
    problems = document.placed([*document.problems, *findings.problems])
    if mapping is None or problems:
        raise DefinitionsError(problems, source.name)
    return mapping


def mapping_of_flags(contact: str, traits: Sequence[str], lists: Sequence[str]) -> ImportMapping:
    """The mapping that `--contact-id`, `--trait` and `--list` stand for. Raises `InputError`."""
    named: dict[str, Any] = {}
    for word in traits:
        name, equals, column = word.partition("=")
        if not equals or not name or not column:
            raise InputError(f"--trait: {word}: expected NAME=COLUMN or NAME=COLUMN:KIND")
        if name in named:
            raise InputError(f"--trait: {name}: expected each trait once")
        named[name] = _with_kind(column, get_args(Kind))
    findings = Findings()
    given = {"version": 1, "contact": _with_kind(contact, get_args(ContactKind)), "traits": named}
    mapping = findings.read(ImportMapping, given | {"lists": list(lists)}, "")
    if mapping is None:
        raise InputError("; ".join(map(str, findings.problems)))
    return mapping


def _with_kind(text: str, kinds: Sequence[str]) -> Mapping[str, str]:
    column, colon, kind = text.rpartition(":")
    return {"column": column, "kind": kind} if colon and column and kind in kinds else {"column": text}


def check_columns(mapping: ImportMapping, columns: Sequence[str]) -> None:
    """Raises `InputError` where the mapping names a column that the file has not."""
    missing = [(path, name) for path, name in mapping.columns() if name not in columns]
    if missing:
        told = []
        for path, name in missing:
            meant = nearest(name, columns)
            told.append(f"{path}: {name!r}" + (f", did you mean {meant!r}?" if meant else ""))
        known = ", ".join(map(repr, columns[:20])) + (", …" if len(columns) > 20 else "")
        raise InputError(f"expected columns that the file has ({known}), found {'; '.join(told)}")
