"""From a row to records: every kind of cell, who it is, when it was so, and what is wrong, all at once."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import format_instant
from schemas.records import decode_record
from streams.collector.forms.form_fields import field_value
from streams.collector.forms.form_schema import FormField
from streams.importing.row_records import Rejected, RowRecords, Terms
from tests.importing.files import NOW_MS, TERMS, accepted, mapping_of, refused, row_of, values_of

MOMENT = datetime.datetime(2026, 11, 21, 10, 0, 0, 123_987, tzinfo=datetime.UTC)
ANY_CELL = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.datetimes(), st.dates(),
    st.text(max_size=20), st.lists(st.text(max_size=3)), st.dictionaries(st.text(max_size=2), st.integers()),
)  # fmt: skip


def trait(cell: object, **spec: Any) -> Any:
    """What a cell becomes as a trait."""
    found = accepted(mapping_of(traits={"t": {"column": "cell", **spec}}), row_of(email="a@b.example", cell=cell))
    return found.traits.get("t")


def trait_refused(cell: object, **spec: Any) -> str:
    """What is expected of a cell that no trait can be made of."""
    row = row_of(email="a@b.example", cell=cell)
    ((column, expected),) = refused(mapping_of(traits={"t": {"column": "cell", **spec}}), row)
    assert column == "cell"
    return expected


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("text", "  a   b ", "a b"),
        ("text", 12, "12"),
        ("text", 4711.0, "4711"),
        ("text", True, "true"),
        ("text", MOMENT.date(), "2026-11-21"),
        ("name", "Åsa", "Åsa"),
        ("email", "Ann@Bücher.Example", "ann@xn--bcher-kva.example"),
        ("phone", "+33 1 23 45 67 89", "+33123456789"),
        ("country", "French Republic", "FR"),
        ("number", "12.50", 12.5),
        ("number", " 12 ", 12),
        ("number", 12.0, 12),
        ("number", Decimal("1.25"), 1.25),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("boolean", False, False),
        ("instant", "2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000Z"),
        ("instant", MOMENT, "2026-11-21T10:00:00.123Z"),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", MOMENT, "2026-11-21"),
        ("date", MOMENT.date(), "2026-11-21"),
    ],
)
def test_each_kind_of_cell_gets_its_one_spelling(kind: str, cell: object, value: object) -> None:
    found = trait(cell, kind=kind)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        ("text", ["a"], "expected a text, a number, true or false, or a time"),
        ("text", "a\0b", "expected text without control characters"),
        ("name", "x" * 257, "expected 1 to 256 characters"),
        ("email", "a@b", "expected a domain like example.org after the @"),
        ("phone", "0123456789", "expected a phone number that begins with + and the country's code"),
        ("country", "Atlantis", "expected a country: its code in ISO 3166, or its English name"),
        ("number", "1,5", "expected a number like 12.5"),
        ("number", float("nan"), "expected a number that is finite"),
        ("boolean", "perhaps", "expected on, yes, true or 1, or nothing, off, no, false or 0"),
        ("instant", "2026-11-21", "expected an RFC 3339 time with seconds and a zone, like 2026-11-21T10:00:00.123Z"),
        ("instant", MOMENT.replace(tzinfo=None), "expected a time with its zone, or `zone` in the mapping"),
        ("date", "2023-02-29", "expected a date like 2026-11-21"),
    ],
)
def test_a_cell_that_is_none_of_its_kind_is_refused_with_what_was_expected(
    kind: str, cell: object, expected: str
) -> None:
    assert trait_refused(cell, kind=kind) == expected


def test_times_and_dates_are_read_by_the_format_and_zone_of_the_mapping() -> None:
    paris = {"kind": "instant", "zone": "Europe/Paris"}
    assert trait("21/11/2026 10:00", format="%d/%m/%Y %H:%M", **paris) == "2026-11-21T09:00:00.000Z"
    assert trait("2026-07-01 10:00:00", **paris) == "2026-07-01T08:00:00.000Z"
    assert trait("2026-07-01T10:00:00Z", **paris) == "2026-07-01T10:00:00.000Z"
    assert trait("03/05/2019", kind="date", format="%d/%m/%Y") == "2019-05-03"
    assert trait_refused("2019-05-03", kind="date", format="%d/%m/%Y") == "expected a time written %d/%m/%Y"
    assert trait_refused("soon", **paris).startswith("expected a time like")


def test_a_number_may_have_a_comma_before_its_fraction_if_the_mapping_says_so() -> None:
    assert trait("-12,5", kind="number", decimal=",") == -12.5
    assert trait_refused("1.203,5", kind="number", decimal=",") == "expected a number like 12,5"


def test_a_phone_number_is_of_its_row_s_country_else_of_its_column_s_else_of_the_file_s() -> None:
    spec = {"column": "phone", "kind": "phone", "country_column": "country"}
    mapping = mapping_of(country="FR", traits={"p": spec})
    number = "030 901820"
    assert accepted(mapping, row_of(email="a@b.example", phone=number, country="Germany")).traits["p"] == "+4930901820"
    ((_, expected),) = refused(mapping, row_of(email="a@b.example", phone=number, country="Atlantis"))
    assert expected.startswith("country: expected a country")
    french = row_of(email="a@b.example", phone="01 23 45 67 89", country=" ")
    assert accepted(mapping, french).traits["p"] == "+33123456789"
    assert trait("01 23 45 67 89", kind="phone", country="FR") == "+33123456789"


@given(st.emails())
def test_an_address_makes_the_contact_that_a_form_makes(address: str) -> None:
    try:
        by_form = field_value(FormField(type="email"), [address])
    except ValueError:
        assert refused(mapping_of(), row_of(email=address))
    else:
        assert accepted(mapping_of(), row_of(email=address)).contact_id == by_form


@pytest.mark.parametrize(("cell", "contact"), [("c-1", "c-1"), (" C-1 ", "C-1"), (4711, "4711"), (4711.0, "4711")])
def test_an_id_of_one_s_own_stays_as_it_is_whatever_type_its_column_has(cell: object, contact: str) -> None:
    assert accepted(mapping_of(contact={"column": "id", "kind": "id"}), row_of(id=cell)).contact_id == contact


@pytest.mark.parametrize("cell", [None, " ", "anon:7", "x" * 257, ["c1"], "a\ud800"])
def test_what_is_no_contact_is_refused(cell: object) -> None:
    assert refused(mapping_of(contact={"column": "id", "kind": "id"}), row_of(id=cell))


def test_everything_wrong_with_a_row_is_told_at_once_and_each_thing_once() -> None:
    mapping = mapping_of(traits={"email": {"column": "email", "kind": "email"}, "n": {"column": "n", "kind": "number"}})
    assert [column for column, _ in refused(mapping, row_of(email="a@", n="x"))] == ["email", "n"]


def test_an_empty_cell_leaves_a_trait_alone_or_removes_it_as_the_mapping_says() -> None:
    traits = {"a": "a", "b": {"column": "b", "empty": "remove"}, "c": {"column": "c", "empty": "leave"}}
    row = row_of(email="a@b.example", a="", b=" ", c=None)
    assert accepted(mapping_of(traits=traits), row).traits == {"b": None}
    assert accepted(mapping_of(traits=traits, empty="remove"), row).traits == {"a": None, "b": None}


def test_a_row_becomes_identify_and_consent_and_list_records_that_share_contact_and_time() -> None:
    mapping = mapping_of(
        traits={"city": "city"},
        consents=[
            {"column": "news", "purpose": "marketing", "document": "v3", "method": "crm"},
            {"column": "also", "document": "v3", "method": "crm"},
        ],
        lists=["crm"],
    )
    records = values_of(accepted(mapping, row_of(email="a@b.example", city="Paris", news="no", also="sms; post ;")))
    assert [(one["type"], one.get("purpose"), one.get("granted")) for one in records] == [
        ("identify", None, None),
        ("consent", "marketing", False),
        ("consent", "sms", True),
        ("consent", "post", True),
        ("list", None, None),
    ]
    assert {(one["contact_id"], one["occurred_at"], one["backfill"]) for one in records} == {
        ("a@b.example", format_instant(NOW_MS), True)
    }
    assert len({one["event_id"] for one in records}) == len(records)
    assert records[0]["traits"] == {"city": "Paris"}
    assert records[1]["document"] == "v3"


def test_an_empty_cell_of_consent_is_no_decision_and_two_that_differ_are_refused() -> None:
    columns = [{"column": name, "document": "v3", "method": "crm"} for name in ("a", "b")]
    mapping = mapping_of(consents=[columns[0] | {"purpose": "p"}, columns[1]])
    assert len(accepted(mapping, row_of(email="a@b.example", a="", b="")).records) == 1
    assert len(accepted(mapping, row_of(email="a@b.example", a="yes", b="p")).records) == 2
    ((column, expected),) = refused(mapping, row_of(email="a@b.example", a="no", b="p"))
    assert (column, expected) == ("b", "expected one decision on 'p'; another column says otherwise")


def test_a_row_says_when_it_was_so_and_consent_needs_to_know() -> None:
    consents = [{"column": "news", "purpose": "p", "document": "v3", "method": "crm"}]
    mapping = mapping_of(occurred_at="at", consents=consents)
    unstated = Terms("import-1", NOW_MS, stated=False, backfill=False)
    row = row_of(email="a@b.example", at="2026-01-02T03:04:05Z", news="yes")
    records = values_of(accepted(mapping, row, unstated))
    assert [one["occurred_at"] for one in records] == ["2026-01-02T03:04:05.000Z"] * 2
    assert not any(one["backfill"] for one in records)
    undated = row_of(email="a@b.example", at="", news="yes")
    assert refused(mapping, undated, unstated) == [
        ("at", "expected when it was decided, or --at for rows that do not say")
    ]
    assert values_of(accepted(mapping, undated, TERMS))[1]["occurred_at"] == format_instant(NOW_MS)
    ((_, expected),) = refused(mapping, row_of(email="a@b.example", at="1969-01-01T00:00:00Z"), TERMS)
    assert expected == "expected a time from 1970 to 2199"


def test_ids_depend_on_the_import_and_the_row_and_on_nothing_else() -> None:
    row = row_of(email="a@b.example")
    again = accepted(mapping_of(), row).records
    assert accepted(mapping_of(), row).records == again
    others = [
        accepted(mapping_of(), row._replace(number=2)),
        accepted(mapping_of(), row, Terms("import-2", NOW_MS, stated=True, backfill=True)),
    ]
    ids = {outgoing.record.event_id for found in others for outgoing in found.records}
    assert len(ids | {again[0].record.event_id}) == 3


def test_a_row_of_which_no_record_can_be_made_is_rejected_for_its_size() -> None:
    mapping = mapping_of(traits={f"t{number}": "cell" for number in range(200)})
    ((column, expected),) = refused(mapping, row_of(email="a@b.example", cell="é" * 4_000))
    assert column == ""
    assert "expected at most 1000000 bytes as a record" in expected


@given(
    kind=st.sampled_from(["text", "name", "email", "phone", "country", "number", "boolean", "instant", "date"]),
    cell=ANY_CELL,
)
def test_any_cell_is_either_refused_or_becomes_a_record_that_a_worker_takes_and_that_is_stable(
    kind: str, cell: object
) -> None:
    mapping = mapping_of(traits={"t": {"column": "cell", "kind": kind}})
    found = RowRecords(mapping, TERMS).read(row_of(email="a@b.example", cell=cell))
    if isinstance(found, Rejected):
        assert all(problem.expected for problem in found.problems)
        return
    for outgoing in found.records:
        assert decode_record(outgoing.value) == outgoing.record
    value = found.traits.get("t")
    if value is not None:
        assert trait(value, kind=kind) == value
