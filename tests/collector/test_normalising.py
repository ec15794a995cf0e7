"""One spelling for addresses, phone numbers, names and countries."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.normalising import country_code, email_address, phone_number, plain_text


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (" Ann@Example.ORG\n", "ann@example.org"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
        ("ann@example.org.", "ann@example.org"),
        ("ann@example。org", "ann@example.org"),
        ("ＡＮＮ＠ｅｘａｍｐｌｅ.org", "ann@example.org"),
        ("re\u0301my@example.org", "rémy@example.org"),
        ("RÉMY@example.org", "rémy@example.org"),
        ("o'hara+news.x@sub.example.org", "o'hara+news.x@sub.example.org"),
        ("a@faß.de", "a@xn--fa-hia.de"),
        ("x" * 64 + "@example.org", "x" * 64 + "@example.org"),
    ],
)
def test_an_address_has_one_spelling(written: str, normal: str) -> None:
    assert email_address(written) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@localhost",
        "ann@[192.0.2.1]",
        "ann@192.0.2.1",
        "ann@-example.org",
        "ann@exa_mple.org",
        "ann@example..org",
        "a b@example.org",
        "a..b@example.org",
        ".a@example.org",
        "a@b@example.org",
        '"a b"@example.org',
        "Ann <ann@example.org>",
        "ann@example.org, bob@example.org",
        "ann\u200b@example.org",
        "ann\x00@example.org",
        "\ud800@example.org",
        "x" * 65 + "@example.org",
        "é" * 33 + "@example.org",
        "ann@" + "x" * 64 + ".org",
        "x" * 64 + "@" + ".".join(["y" * 60] * 4) + ".org",
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        email_address(written)


@pytest.mark.parametrize(
    ("written", "country", "normal"),
    [
        ("+33 1 23 45 67 89", None, "+33123456789"),
        ("01 23 45 67 89", "FR", "+33123456789"),
        ("０１ ２３４５ ６７８９", "FR", "+33123456789"),
        ("tel:+1-201-555-0123", "FR", "+12015550123"),
        ("(030) 1234567", "DE", "+49301234567"),
    ],
)
def test_a_phone_number_is_in_e164(written: str, country: str | None, normal: str) -> None:
    assert phone_number(written, country) == normal


@pytest.mark.parametrize(
    ("written", "country"), [("", "FR"), ("123", "FR"), ("01 23 45 67 89", None), ("call me", "FR"), ("+1" * 200, None)]
)
def test_what_is_no_phone_number_is_refused(written: str, country: str | None) -> None:
    with pytest.raises(ValueError, match="expected a phone number"):
        phone_number(written, country)


def test_a_line_of_text_has_single_spaces_and_nothing_invisible() -> None:
    assert plain_text("  Ann\t Marie \n de  la Tour ") == "Ann Marie de la Tour"
    assert plain_text("Rene\u0301") == "René"
    for bad in ("", "  ", "x" * 257, "Ann\x00", "Ann\ud800"):
        with pytest.raises(ValueError, match="expected"):
            plain_text(bad)
    assert plain_text("x" * 257, 300) == "x" * 257


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("fr", "FR"),
        ("FRA", "FR"),
        (" france ", "FR"),
        ("French  Republic", "FR"),
        ("UK", "GB"),
        ("ＤＥ", "DE"),
        ("USA", "US"),
    ],
)
def test_a_country_is_two_letters(written: str, code: str) -> None:
    assert country_code(written) == code


@pytest.mark.parametrize("written", ["", "Atlantis", "F", "XX", "\ud800"])
def test_what_is_no_country_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="expected a country"):
        country_code(written)


def _outcome(normal: Callable[[str], str], written: str) -> str:
    try:
        return normal(written)
    except ValueError as error:
        return str(error)


_text = st.text(st.characters(), max_size=40)
_address = st.builds("{}@{}.{}".format, _text, _text, st.sampled_from(["org", "ORG", "bücher", "中国"]))


@pytest.mark.parametrize("normal", [email_address, phone_number, plain_text, country_code])
@given(written=_text | _address)
def test_what_is_normal_stays_as_it_is_and_anything_else_is_refused_in_words(
    normal: Callable[[str], str], written: str
) -> None:
    once = _outcome(normal, written)
    assert once.startswith("expected ") or normal(once) == once
